"""Random weights laid where the published ones would lie, so that engines load them by their real way."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from anime_pipeline.quality.engines import weights
from anime_pipeline.quality.engines.weights import MANIFEST, file_sha256, manifest_hashes, weights_named


class Shelf:
    """A models folder whose catalogue states no hashes: the manifest's hold, as for an offline copy."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        plain = tuple(
            dataclasses.replace(
                entry, files=tuple(dataclasses.replace(file, sha256=None) for file in entry.files)
            )
            for entry in weights.CATALOGUE
        )
        monkeypatch.setattr(weights, "CATALOGUE", plain)

    def lay(self, name: str, *contents: Any) -> list[Path]:
        """Lay the files of a set of weights: a state dict, or a file's bytes, for each."""
        paths = []
        for file, content in zip(weights_named(name).files, contents, strict=True):
            path = self.folder / file.file
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content)
            self.record(file.file)
            paths.append(path)
        return paths

    def record(self, file: str) -> None:
        """State a file's hash in the manifest, as a fetch does."""
        hashes = manifest_hashes(self.folder) | {file: file_sha256(self.folder / file)}
        (self.folder / MANIFEST).write_text(json.dumps({"files": hashes}))


def _write(path: Path, content: Any) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".safetensors":
        pytest.importorskip("safetensors.torch").save_file(content, str(path))
    else:
        pytest.importorskip("torch").save(content, path)
