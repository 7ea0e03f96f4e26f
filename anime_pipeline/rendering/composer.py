"""Which code composes recipes: what another one remembered is composed again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from anime_pipeline import preview, rendering, story


def _hashed() -> str:
    digest = hashlib.sha256(str(preview.DRAWING_VERSION).encode())
    for room in (story, rendering):
        for file in sorted(Path(str(room.__file__)).parent.glob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


COMPOSER_SHA256 = _hashed()
"""sha256 over the two rooms' modules, taken at import: a file may change under a process that runs."""
