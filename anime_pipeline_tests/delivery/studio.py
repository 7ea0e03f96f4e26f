"""A small production in the database and the store, for the tests of whole deliveries."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from PIL import Image
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Base,
    Cut,
    CutProfile,
    Episode,
    GateVerdict,
    Job,
    MediaFile,
    Project,
    ProjectProfile,
    Recipe,
    Scene,
    Take,
    TakeMedia,
)
from anime_pipeline.media.film import FilmWriter, frames_sha256, probe
from anime_pipeline.media.store import MediaStore, StoredFile
from anime_pipeline.settings import Settings
from anime_pipeline_tests.delivery.cuts import numbered

Row = TypeVar("Row", bound=Base)

SLUG = "lantern-post"
EPISODE = f"{SLUG}.e01"
WIDTH, HEIGHT, FPS = 64, 36, 24


class Studio:
    """Writes cuts, takes and verdicts as the other rooms would."""

    def __init__(self, session: Session, settings: Settings, scratch: Path) -> None:
        self.session, self.settings, self.scratch = session, settings, scratch
        self.store = MediaStore.of(settings)
        self.project = self._add(Project(name="Lantern Post"))
        self._add(ProjectProfile(project_id=self.project.id, slug=SLUG, width=WIDTH, height=HEIGHT, fps=FPS))
        self.episode = self._add(Episode(project_id=self.project.id, episode_number=1, title="The Last Lamp"))
        self.scenes: dict[int, Scene] = {}
        self.recipe = self._add(
            Recipe(recipe_hash="0" * 64, workflow={}, template_name="animatic", template_sha256="0" * 64)
        )

    def cut(
        self,
        scene: int,
        number: int,
        kind: str = "video",
        frames: int = 12,
        fps: int = FPS,
        lines: tuple[tuple[str, str, int, int], ...] = (),
        repeats: int = 1,
    ) -> str:
        """Add a cut; its key. ``lines`` are speaker, text, start and end."""
        if scene not in self.scenes:
            row = Scene(
                episode_id=self.episode.id, scene_number=scene, name=f"Place {scene}", location="harbour"
            )
            self.scenes[scene] = self._add(row)
        cut = self._add(
            Cut(
                scene_id=self.scenes[scene].id,
                cut_number=number,
                description=f"What happens in {number}",
                duration_frames=frames,
            )
        )
        key = f"{EPISODE}.s{scene:03}.c{number:04}"
        dialogue = [
            {"speaker": speaker, "text": text, "start": start, "end": end}
            for speaker, text, start, end in lines
        ]
        self._add(
            CutProfile(
                cut_id=cut.id,
                project_id=self.project.id,
                cut_key=key,
                kind=kind,
                fps=fps,
                spec={"dialogue": dialogue, "repeats": repeats, "cast": [], "lip_flap": True, "seed": None},
            )
        )
        return key

    def film_take(
        self, key: str, numbers: list[int], fps: int = FPS, selected: bool = True, number: int = 1
    ) -> int:
        """Add a take whose film shows these numbered frames; its job id."""
        path = self.scratch / "take.mp4"
        with FilmWriter(path, WIDTH, HEIGHT, fps, quality=8) as writer:
            for shown in numbers:
                writer.write(numbered(shown))
        return self._take(key, [("film", path)], numbers, selected, number)

    def picture_take(self, key: str, shown: int, selected: bool = True, number: int = 1) -> int:
        """Add a take of one picture; its job id."""
        path = self.scratch / "take.png"
        Image.fromarray(numbered(shown)).save(path)
        return self._take(key, [("frame", path)], [shown], selected, number)

    def judge(self, key: str, job_id: int, verdict: str, reason: str = "measured", phase: str = "") -> None:
        """Add a verdict on a take."""
        self._add(
            GateVerdict(
                project_id=self.project.id,
                scope="cut",
                scope_key=key,
                job_id=job_id,
                phase=phase or "phase_0_animatic",
                verdict=verdict,
                cuts_total=1,
                cuts_passed=int(verdict == "passed"),
                cuts_failed=int(verdict == "failed"),
                cuts_unmeasured=int(verdict == "incomplete"),
                thresholds={},
                failing=[],
                missing=[],
                reason=reason,
                judged_sha256=hashlib.sha256(reason.encode()).hexdigest(),
            )
        )

    def omit(self, key: str) -> None:
        """Take a cut out of the story, as an import does."""
        self.profile(key).omitted_at = self.episode.created_at
        self.session.flush()

    def profile(self, key: str) -> CutProfile:
        """The studio's row of a cut."""
        return self.session.query(CutProfile).filter_by(cut_key=key).one()

    def file_of(self, job_id: int) -> Path:
        """Where the first file of a take lies in the store."""
        media = self.session.query(TakeMedia).filter_by(job_id=job_id).order_by(TakeMedia.position).first()
        assert media is not None
        stored = self.session.get_one(MediaFile, media.sha256)
        return self.store.local_path(stored.sha256, stored.suffix)

    def _take(
        self, key: str, files: list[tuple[str, Path]], numbers: list[int], selected: bool, number: int
    ) -> int:
        cut_id = self.profile(key).cut_id
        job = self._add(
            Job(project_id=self.project.id, cut_id=cut_id, job_type="full_video", status="completed")
        )
        self._add(
            Take(
                job_id=job.id,
                cut_id=cut_id,
                take_number=number,
                recipe_hash=self.recipe.recipe_hash,
                pixels_sha256=frames_sha256(numbered(shown) for shown in numbers),
                selected=selected,
            )
        )
        for position, (role, path) in enumerate(files):
            stored = self.store.put_file(path)
            self._media(stored, path)
            self._add(TakeMedia(job_id=job.id, role=role, position=position, sha256=stored.sha256))
        return job.id

    def _media(self, stored: StoredFile, path: Path) -> None:
        if self.session.get(MediaFile, stored.sha256) is None:
            info = probe(path)
            self._add(
                MediaFile(
                    sha256=stored.sha256,
                    kind=info.kind,
                    suffix=stored.suffix,
                    bytes=stored.bytes,
                    location=stored.location,
                    width=info.width,
                    height=info.height,
                    frame_count=info.frame_count,
                    fps=info.fps,
                )
            )

    def _add(self, row: Row) -> Row:
        self.session.add(row)
        self.session.flush()
        return row
