"""Random numbers that follow from names alone: the same shot is drawn alike in every process."""

from __future__ import annotations

import hashlib

import numpy as np


def stable_number(*parts: object) -> int:
    """A number in 0 … 2^64 - 1 that depends on the texts of ``parts`` only."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def generator(*parts: object) -> np.random.Generator:
    """A fresh generator seeded by ``parts``."""
    return np.random.Generator(np.random.PCG64(stable_number(*parts)))
