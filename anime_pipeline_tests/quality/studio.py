"""A production in the database, as the other rooms leave it: cuts, takes, files, measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from PIL import Image
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Base,
    Cut,
    CutProfile,
    Episode,
    GenerationParams,
    Job,
    Measurement,
    MediaFile,
    Project,
    ProjectProfile,
    Recipe,
    RenderAttempt,
    Scene,
    StoryBible,
    Take,
    TakeMedia,
)
from anime_pipeline.media.film import FilmWriter, probe
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings
from anime_pipeline_tests.quality.films import Film

Row = TypeVar("Row", bound=Base)

SLUG = "lantern-post"
EPISODE = f"{SLUG}.e01"
WIDTH, HEIGHT, FPS = 96, 64, 24
ANIMATIC_METRICS = ("media_contract", "temporal_flicker", "motion_smoothness", "dynamic_degree")


class Studio:
    """Writes what planning, rendering and measuring leave behind, and commits each step."""

    def __init__(self, session: Session, settings: Settings, scratch: Path) -> None:
        self.session, self.settings, self.scratch = session, settings, scratch
        self.store = MediaStore.of(settings)
        self.project = self.add(Project(name="Lantern Post"))
        self.add(ProjectProfile(project_id=self.project.id, slug=SLUG, width=WIDTH, height=HEIGHT, fps=FPS))
        self.add(StoryBible(project_id=self.project.id, version=1, color_palette={"sea": "#1f6f8b"}))
        self.episode = self.add(Episode(project_id=self.project.id, episode_number=1))
        self.scenes: dict[int, Scene] = {}

    def cut(
        self, number: int, kind: str = "video", scene: int = 1, frames: int = 24, cast: tuple[int, ...] = ()
    ) -> str:
        """Add a cut; its key."""
        if scene not in self.scenes:
            self.scenes[scene] = self.add(Scene(episode_id=self.episode.id, scene_number=scene))
        cut = self.add(
            Cut(
                scene_id=self.scenes[scene].id,
                cut_number=number,
                duration_frames=frames,
                character_ids=list(cast),
            )
        )
        key = f"{EPISODE}.s{scene:03}.c{number:04}"
        self.add(CutProfile(cut_id=cut.id, project_id=self.project.id, cut_key=key, kind=kind, fps=FPS))
        return key

    def take(
        self,
        key: str,
        film: Film | None = None,
        server_kind: str = "preview",
        status: str = "completed",
        selected: bool = False,
        seconds: float | None = 1.5,
    ) -> int:
        """Add a take, with a film (or, for one frame, a picture) if one is given; its job id."""
        profile = self.profile(key)
        cut = self.session.get_one(Cut, profile.cut_id)
        number = self.session.query(Take).filter_by(cut_id=cut.id).count() + 1
        recipe = f"{cut.id:032x}{number:032x}"
        self.add(Recipe(recipe_hash=recipe, workflow={}, template_name="animatic", template_sha256="0" * 64))
        job = self.add(Job(project_id=self.project.id, cut_id=cut.id, job_type="full_video", status=status))
        self.add(
            Take(
                job_id=job.id,
                cut_id=cut.id,
                take_number=number,
                recipe_hash=recipe,
                server_kind=server_kind,
                selected=selected,
            )
        )
        frames = 1 if profile.kind == "still" else cut.duration_frames
        self.add(
            GenerationParams(
                job_id=job.id,
                positive_prompt="",
                seed=1,
                model_name="animatic",
                width=WIDTH,
                height=HEIGHT,
                frame_count=frames,
                fps=FPS,
            )
        )
        self.add(
            RenderAttempt(
                job_id=job.id,
                server_url="http://127.0.0.1:1",
                server_kind=server_kind,
                token=job.id,
                prompt_id=f"00000000-0000-0000-0000-{job.id:012}",
                gpu_seconds=seconds,
                outcome="succeeded",
            )
        )
        if film is not None:
            self.file(job.id, self._written(film))
        return job.id

    def file(self, job_id: int, path: Path, role: str = "film") -> Path:
        """Store a file as a take's film; where it lies in the store."""
        stored = self.store.put_file(path)
        if self.session.get(MediaFile, stored.sha256) is None:
            info = probe(path)
            self.add(
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
        self.add(TakeMedia(job_id=job_id, role=role, sha256=stored.sha256))
        return self.store.local_path(stored.sha256, stored.suffix)

    def measured(
        self, job_id: int, values: dict[str, float | None] | None = None, **more: float | None
    ) -> None:
        """Record measurements of a take, None for not_measurable; by default everything passes."""
        passing: dict[str, float | None] = {
            "media_contract": 1.0,
            "temporal_flicker": 0.97,
            "motion_smoothness": 0.98,
            "dynamic_degree": 0.002,
        }
        for metric, value in ({**passing, **more} if values is None else values).items():
            self.session.query(Measurement).filter_by(job_id=job_id, metric_name=metric).delete()
            self.add(
                Measurement(
                    job_id=job_id,
                    metric_name=metric,
                    state="not_measurable" if value is None else "measured",
                    value=value,
                    reason="too short" if value is None else None,
                    backend="test",
                    backend_version="1",
                    details={"lowest": {"frame": 7, "value": 0.0}, "highest": {"frame": 3, "value": 1.0}},
                )
            )

    def profile(self, key: str) -> CutProfile:
        """The studio's row of a cut."""
        return self.session.query(CutProfile).filter_by(cut_key=key).one()

    def add(self, row: Row) -> Row:
        """Write one row and commit it."""
        self.session.add(row)
        self.session.commit()
        return row

    def _written(self, film: Film) -> Path:
        if len(film) == 1:
            path = self.scratch / "take.png"
            Image.fromarray(film[0]).save(path)
            return path
        path = self.scratch / "take.mp4"
        with FilmWriter(path, film.shape[2], film.shape[1], FPS) as writer:
            for frame in film:
                writer.write(frame)
        return path
