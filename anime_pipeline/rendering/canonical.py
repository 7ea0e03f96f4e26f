"""One spelling for each JSON value, so that equal recipes have equal hashes on every machine."""

from __future__ import annotations

import hashlib
import json
import math
from decimal import Decimal

# A float of this size or more is a whole number, and PostgreSQL's jsonb gives it back as an integer.
_WHOLE_FROM = 1e16


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces; integers stay integers, floats are their shortest repr.

    The spelling survives a round trip through ``jsonb``: minus zero is zero there, and floats from 1e16 on
    are integers. Raises ValueError for NaN, infinities, lone surrogates and keys that are not strings,
    TypeError for what JSON does not know.
    """
    text = json.dumps(
        _normal(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def sha256_of(value: object) -> str:
    """sha256 of the canonical JSON of ``value``, 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


# What is spelled as it stands: most values are, and thousands of graphs are spelled at once.
_PLAIN = frozenset({str, int, bool, type(None)})


def _normal(value: object) -> object:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"a JSON object's keys are strings, not {key!r}")
        return {key: inner if type(inner) in _PLAIN else _normal(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [inner if type(inner) in _PLAIN else _normal(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value):
        if value == 0:
            return 0.0
        return int(Decimal(repr(value))) if abs(value) >= _WHOLE_FROM else value
    return value
