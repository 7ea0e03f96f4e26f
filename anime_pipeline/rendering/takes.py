"""The takes of cuts: what they hold, and which one is selected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile, Recipe, Take, TakeMedia
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.templates import Graph

LIST_TAKES = "anime-pipeline takes list CUT names the takes of a cut"


class TakeError(UserError):
    """A take that does not exist, or cannot be selected."""


@dataclass(frozen=True)
class TakeFile:
    """A file of a take; ``location`` is relative to the media store. ``fps`` is None for a picture."""

    role: str
    position: int
    sha256: str
    suffix: str
    kind: str
    location: str
    width: int | None
    height: int | None
    frame_count: int | None
    fps: float | None


@dataclass(frozen=True)
class TakeInfo:
    """A take with its files. ``verdict`` is the newest judgement of this take:
    passed, failed or incomplete. One that ``reproduces`` another is never selected, nor one that was pruned:
    its film and frames are gone from the store, its thumbnail is there.
    """

    job_id: int
    cut_id: int
    cut_key: str
    take_number: int
    status: str
    error_message: str | None
    recipe_hash: str
    template_name: str
    server_kind: str | None
    pixels_sha256: str | None
    gpu_seconds: float | None
    attempts: int
    selected: bool
    verdict: str | None
    reproduces_job_id: int | None
    pruned_at: datetime | None
    files: tuple[TakeFile, ...]

    @property
    def film(self) -> TakeFile | None:
        """The file that is shown: the film, or the only or first picture; None once the take was pruned."""
        shown = [file for file in self.files if file.role in ("film", "frame")]
        return shown[0] if shown and self.pruned_at is None else None


_TAKES = text("""
    SELECT t.job_id, t.cut_id, p.cut_key, t.take_number, j.status, j.error_message, t.recipe_hash,
           r.template_name, t.server_kind, t.pixels_sha256, a.gpu_seconds, COALESCE(a.attempts, 0) AS
           attempts, t.selected, v.verdict, t.reproduces_job_id, t.pruned_at
    FROM studio.takes t
    JOIN jobs j ON j.id = t.job_id
    JOIN studio.recipes r USING (recipe_hash)
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    LEFT JOIN LATERAL (
        SELECT count(*) AS attempts, max(gpu_seconds) FILTER (WHERE outcome = 'succeeded') AS gpu_seconds
        FROM studio.render_attempts WHERE job_id = t.job_id
    ) a ON TRUE
    LEFT JOIN LATERAL (
        SELECT verdict FROM studio.gate_verdicts WHERE job_id = t.job_id ORDER BY id DESC LIMIT 1
    ) v ON TRUE
    WHERE p.cut_key = ANY(:cut_keys)
""")


def list_takes(session: Session, cut_keys: Collection[str]) -> list[TakeInfo]:
    """All takes of these cuts with their files, in story order and then oldest first; two queries."""
    rows = session.execute(_TAKES, {"cut_keys": list(cut_keys)}).all()
    files = take_files(session, [row.job_id for row in rows])
    takes = [TakeInfo(**row._mapping, files=tuple(files.get(row.job_id, ()))) for row in rows]
    return sorted(takes, key=lambda take: (take.cut_key, take.take_number))


def take_files(session: Session, job_ids: Collection[int]) -> dict[int, list[TakeFile]]:
    """The files of takes by job id, films before frames before thumbnails, each role in order."""
    query = (
        select(
            TakeMedia.job_id, TakeMedia.role, TakeMedia.position, MediaFile.sha256, MediaFile.suffix,
            MediaFile.kind, MediaFile.location, MediaFile.width, MediaFile.height, MediaFile.frame_count,
            MediaFile.fps,
        )
        .join(MediaFile, MediaFile.sha256 == TakeMedia.sha256)
        .where(TakeMedia.job_id.in_(list(job_ids)))
        .order_by(TakeMedia.job_id, TakeMedia.role, TakeMedia.position)
    )  # fmt: skip
    files: dict[int, list[TakeFile]] = {}
    for job_id, *columns in session.execute(query):
        files.setdefault(job_id, []).append(TakeFile(*columns))
    return files


def take_graph(session: Session, job_id: int) -> Graph:
    """The graph of a take's recipe; raises :class:`TakeError` for a job that is no take."""
    graph: Graph | None = session.scalar(select(Recipe.workflow).join(Take).where(Take.job_id == job_id))
    if graph is None:
        raise TakeError(f"job {job_id} is no take", LIST_TAKES)
    return graph


def select_takes(session: Session, job_ids: Collection[int]) -> None:
    """Make finished takes, at most one of a cut, the ones that are shown for their cuts.

    Raises :class:`TakeError` for one that cannot be shown.
    """
    if not job_ids:
        return
    wanted = {"job_ids": list(job_ids)}
    # Unselected first: at most one take of a cut may be selected at any moment.
    session.execute(
        text("""
            UPDATE studio.takes SET selected = FALSE
            WHERE selected AND NOT job_id = ANY(:job_ids)
              AND cut_id IN (SELECT cut_id FROM studio.takes WHERE job_id = ANY(:job_ids))
        """),
        wanted,
    )
    done = session.execute(
        text("""
            WITH chosen AS (
                UPDATE studio.takes t SET selected = TRUE FROM jobs j
                WHERE j.id = t.job_id AND j.status = 'completed' AND t.job_id = ANY(:job_ids)
                  AND t.reproduces_job_id IS NULL AND t.pruned_at IS NULL
                RETURNING t.job_id, t.cut_id, j.output_path
            ), shown AS (
                UPDATE cuts SET output_path = chosen.output_path FROM chosen WHERE cuts.id = chosen.cut_id
            )
            SELECT job_id FROM chosen
        """),
        wanted,
    )
    missing = set(job_ids) - set(done.scalars())
    if missing:
        raise _unselectable(session, min(missing))


def unselect_takes(session: Session, cut_ids: Collection[int]) -> None:
    """Leave these cuts without a selected take."""
    cuts = {"cut_ids": list(cut_ids)}
    session.execute(
        text("UPDATE studio.takes SET selected = FALSE WHERE cut_id = ANY(:cut_ids) AND selected"), cuts
    )
    session.execute(text("UPDATE cuts SET output_path = NULL WHERE id = ANY(:cut_ids)"), cuts)


def pruned_error(job_id: int) -> TakeError:
    """What is said of a take whose media were removed to free space."""
    return TakeError(
        f"the media of take {job_id} were pruned",
        f"anime-pipeline reproduce {job_id}: it is rendered again, and is whole if the same pixels come out",
    )


def restore_pruned(session: Session, job_id: int, same_job_id: int) -> bool:
    """Give a pruned take the media of one that shows the same pixels; False for one that was whole."""
    both = {"job_id": job_id, "same": same_job_id}
    restored = session.execute(
        text("""
            UPDATE studio.takes SET pruned_at = NULL, media_removed_at = NULL
            WHERE job_id = :job_id AND pruned_at IS NOT NULL RETURNING job_id
        """),
        both,
    )
    if restored.first() is None:
        return False
    for statement in (
        "DELETE FROM studio.take_media WHERE job_id = :job_id AND role IN ('film', 'frame')",
        "INSERT INTO studio.take_media (job_id, role, position, sha256) "
        "SELECT :job_id, role, position, sha256 FROM studio.take_media "
        "WHERE job_id = :same AND role IN ('film', 'frame')",
        "UPDATE jobs SET output_path = same.output_path FROM jobs same "
        "WHERE jobs.id = :job_id AND same.id = :same",
    ):
        session.execute(text(statement), both)
    return True


def _unselectable(session: Session, job_id: int) -> TakeError:
    row = session.execute(
        text("""
            SELECT j.status, t.reproduces_job_id, t.pruned_at
            FROM studio.takes t JOIN jobs j ON j.id = t.job_id WHERE t.job_id = :job_id
        """),
        {"job_id": job_id},
    ).one_or_none()
    if row is None:
        return TakeError(f"job {job_id} is no take", LIST_TAKES)
    if row.pruned_at is not None:
        return pruned_error(job_id)
    if row.reproduces_job_id is not None:
        again = f"take {job_id} renders take {row.reproduces_job_id} again, so it cannot be selected"
        return TakeError(again, f"select {row.reproduces_job_id}")
    return TakeError(
        f"take {job_id} is not finished ({row.status}), so it cannot be selected", "choose a finished take"
    )
