"""The production that the loop is about: two stills and a loop, each of which may be edited or omitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings
from anime_pipeline.story.importer import apply, compare
from anime_pipeline.story.reader import read_production

ATTEMPTS, RETAKES, GPU_SECONDS = 2, 2, 4.0
"""The budget of each cut: small, so that a short run of events can spend it."""


@dataclass
class Cut:
    """A cut as the file has it now; every text is told again some time, so that recipes return."""

    number: int
    kind: str
    text: str = "rain"
    takes: int = 1
    present: bool = True

    def entry(self) -> dict[str, Any]:
        """The cut in the production file."""
        entry = {"number": self.number, "kind": self.kind, "action_notes": self.text, "takes": self.takes}
        return entry | ({"duration_frames": 4} if self.kind == "loop" else {})


@dataclass
class Story:
    """A production of its own: each run of the machine has another slug in the same database."""

    slug: str
    cuts: list[Cut] = field(default_factory=lambda: [Cut(10, "still"), Cut(20, "still"), Cut(30, "loop")])

    @property
    def episode(self) -> str:
        """Its only episode."""
        return f"{self.slug}.e01"

    @property
    def scopes(self) -> tuple[str, str, str]:
        """Project, episode and scene."""
        return self.slug, self.episode, f"{self.episode}.s001"

    def keys(self) -> list[str]:
        """The cuts that are in the story now."""
        return [f"{self.episode}.s001.c{cut.number:04}" for cut in self.cuts if cut.present]

    def import_(self, session: Session, settings: Settings, folder: Path) -> None:
        """Write the production file and import it, as a person does."""
        path = folder / f"{self.slug}.yaml"
        path.write_text(yaml.safe_dump(self._file(), sort_keys=False), encoding="utf-8")
        production = read_production(path)
        apply(session, production, compare(session, production), MediaStore.of(settings))

    def _file(self) -> dict[str, Any]:
        budget = {"attempts": ATTEMPTS, "retakes": RETAKES, "gpu_seconds": GPU_SECONDS}
        project = {"slug": self.slug, "name": self.slug, "resolution": "64x64", "budget": budget}
        hero = f"Mika {self.slug}"
        cuts = [cut.entry() | {"cast": [hero]} for cut in self.cuts if cut.present]
        scene = {"number": 1, "location": "harbour", "cast": [{"character": hero}], "cuts": cuts}
        return {
            "project": project,
            "bible": {"art_style": "ink", "global_seed": 7},
            "characters": [{"name": hero, "attributes": [{"type": "hair_color", "value": "teal"}]}],
            "episodes": [{"number": 1, "scenes": [scene]}],
        }
