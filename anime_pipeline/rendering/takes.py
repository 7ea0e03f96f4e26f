"""The takes of cuts: what they hold, and which one is selected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile, Recipe, Take, TakeMedia
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.current_takes import current_takes
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.settings import Settings


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
    passed, failed or incomplete. One that ``reproduces`` another is never selected.
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
    files: tuple[TakeFile, ...]

    @property
    def film(self) -> TakeFile | None:
        """The file that is shown: the film, or the only or first picture."""
        shown = [file for file in self.files if file.role in ("film", "frame")]
        return shown[0] if shown else None


_TAKES = text("""
    SELECT t.job_id, t.cut_id, p.cut_key, t.take_number, j.status, j.error_message, t.recipe_hash,
           r.template_name, t.server_kind, t.pixels_sha256, a.gpu_seconds, COALESCE(a.attempts, 0) AS
           attempts, t.selected, v.verdict, t.reproduces_job_id
    FROM studio.takes t
    JOIN jobs j ON j.id = t.job_id
    JOIN studio.recipes r USING (recipe_hash)
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    LEFT JOIN (
        SELECT job_id, count(*) AS attempts,
               max(gpu_seconds) FILTER (WHERE outcome = 'succeeded') AS gpu_seconds
        FROM studio.render_attempts GROUP BY job_id
    ) a ON a.job_id = t.job_id
    LEFT JOIN (
        SELECT DISTINCT ON (job_id) job_id, verdict FROM studio.gate_verdicts WHERE scope = 'cut'
        ORDER BY job_id, id DESC
    ) v ON v.job_id = t.job_id
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
        raise TakeError(f"job {job_id} is no take", "anime-pipeline takes CUT lists the takes of a cut")
    return graph


def select_take(session: Session, job_id: int) -> None:
    """Make a finished take the one that is shown for its cut. Raises :class:`TakeError`."""
    _select(session, [job_id])


def select_best(session: Session, settings: Settings, cut_keys: Collection[str]) -> dict[str, int | None]:
    """Select for each cut its newest finished take of the story as it is now that passed its gate.

    A selected take that is current and has passed stays selected, so that a person's choice stands. Where
    takes of the current story are finished and none has passed, none is selected; where none is finished,
    the selection stays as it was. The selected job ids by cut key, None for none.
    """
    keys = sorted(set(cut_keys))
    current = current_takes(session, settings, keys)
    takes: dict[str, list[TakeInfo]] = {key: [] for key in keys}
    for take in list_takes(session, keys):
        if take.reproduces_job_id is None:
            takes[take.cut_key].append(take)
    chosen, emptied = [], []
    result: dict[str, int | None] = {}
    for key in keys:
        before = next((take.job_id for take in takes[key] if take.selected), None)
        shown = [take for take in takes[key] if take.status == "completed" and take.job_id in current[key]]
        passed = [take for take in shown if take.verdict == "passed"]
        best = next((take for take in passed if take.selected), passed[-1] if passed else None)
        result[key] = best.job_id if best else (None if shown else before)
        if best is not None and not best.selected:
            chosen.append(best.job_id)
        elif best is None and shown and before is not None:
            emptied.append(shown[0].cut_id)
    session.execute(
        text("UPDATE studio.takes SET selected = FALSE WHERE cut_id = ANY(:cut_ids) AND selected"),
        {"cut_ids": emptied},
    )
    session.execute(text("UPDATE cuts SET output_path = NULL WHERE id = ANY(:cut_ids)"), {"cut_ids": emptied})
    _select(session, chosen)
    return result


def _select(session: Session, job_ids: list[int]) -> None:
    if not job_ids:
        return
    # Unselected first: at most one take of a cut may be selected at any moment.
    session.execute(
        text("""
            UPDATE studio.takes SET selected = FALSE
            WHERE selected AND NOT job_id = ANY(:job_ids)
              AND cut_id IN (SELECT cut_id FROM studio.takes WHERE job_id = ANY(:job_ids))
        """),
        {"job_ids": job_ids},
    )
    done = session.execute(
        text("""
            WITH chosen AS (
                UPDATE studio.takes t SET selected = TRUE FROM jobs j
                WHERE j.id = t.job_id AND j.status = 'completed' AND t.job_id = ANY(:job_ids)
                  AND t.reproduces_job_id IS NULL
                RETURNING t.job_id, t.cut_id, j.output_path
            ), shown AS (
                UPDATE cuts SET output_path = chosen.output_path FROM chosen WHERE cuts.id = chosen.cut_id
            )
            SELECT job_id FROM chosen
        """),
        {"job_ids": job_ids},
    )
    missing = set(job_ids) - set(done.scalars())
    if missing:
        listed = ", ".join(str(job_id) for job_id in sorted(missing))
        raise TakeError(
            f"take {listed} is not finished, or renders another take again, so it cannot be selected",
            "choose a finished take",
        )
