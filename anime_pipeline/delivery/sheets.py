"""Contact sheets: every cut of a scope with its take and how that stands at a gate."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import GateVerdict
from anime_pipeline.delivery.export import export
from anime_pipeline.delivery.ledger import find_delivery, record_delivery, record_media
from anime_pipeline.delivery.results import DeliveryError, DeliveryResult
from anime_pipeline.delivery.shown_takes import record_shown_takes
from anime_pipeline.delivery.takes import ShownTake, selected_or_newest_takes
from anime_pipeline.delivery.titles import scope_title
from anime_pipeline.media.contact_sheet import STATUS_COLOURS, Status, Tile, draw_contact_sheet
from anime_pipeline.media.film import Frame, MediaInfo, iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.override_log import Override
from anime_pipeline.review.forecast import counted
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts

SHEET_VERSION = 1
"""Raised when the same tiles are drawn in another way."""
COLUMNS = 4


@dataclass(frozen=True)
class TileText:
    """What a tile says; with the take's pixels it decides how the tile looks."""

    label: str
    detail: str
    status: Status
    lines: tuple[str, ...]


def build_contact_sheet(
    session: Session,
    settings: Settings,
    scope_key: str,
    phase: str = "phase_0_animatic",
    overrides: Sequence[Override] = (),
) -> DeliveryResult:
    """Draw the contact sheet of a project, an episode, a scene or a cut, or find the one that shows the same.

    A tile shows the middle frame of the cut's selected take, else of its newest finished one, and the newest
    verdict of ``phase`` on that very take: a take that was not judged is incomplete, a cut without takes
    missing. ``overrides`` that opened gates for what it shows stand in its header. Raises
    :class:`DeliveryError` for a scope without cuts.
    """
    store = MediaStore.of(settings)
    keys = active_cut_keys(session, scope_key)
    if not keys:
        raise DeliveryError(f"{scope_key} has no cuts to show", "check the key, or import a production there")
    contexts = load_cut_contexts(session, keys)
    takes = selected_or_newest_takes(session, [context.cut_id for context in contexts.values()])
    shown = [takes.get(contexts[key].cut_id) for key in keys]
    verdicts = _verdicts(session, phase, shown)
    texts = [_text(contexts[key], take, verdicts, scope_key) for key, take in zip(keys, shown, strict=True)]
    title = scope_title(session, scope_key, contexts[keys[0]].project_id)
    subtitle = " · ".join([phase, counted(len(keys), "cut"), *(override.said for override in overrides)])
    content = _content_sha256(title, subtitle, texts, shown)
    known = find_delivery(session, store, scope_key, "contact_sheet", content)
    sha256 = known.sha256 if known else _draw(session, store, title, subtitle, texts, shown)
    record_delivery(session, scope_key, "contact_sheet", sha256, content, overrides)
    record_shown_takes(session, scope_key, "contact_sheet", [take.job_id for take in shown if take])
    name = "contact-sheet.png" if scope_key.count(".") < 2 else f"{scope_key}.contact-sheet.png"
    return DeliveryResult(
        scope_key=scope_key,
        path=export(settings, store, sha256, ".png", scope_key, name),
        sha256=sha256,
        content_sha256=content,
        frame_count=1,
        duration_seconds=0.0,
        built=known is None,
        slates=tuple(key for key, take in zip(keys, shown, strict=True) if take is None),
    )


def _verdicts(session: Session, phase: str, takes: Sequence[ShownTake | None]) -> dict[int, GateVerdict]:
    """The newest verdict of the phase on each take, by job id."""
    query = select(GateVerdict).where(
        GateVerdict.scope == "cut",
        GateVerdict.phase == phase,
        GateVerdict.job_id.in_([take.job_id for take in takes if take is not None]),
    )
    return {row.job_id: row for row in session.scalars(query.order_by(GateVerdict.id)) if row.job_id}


def _text(
    context: CutContext, take: ShownTake | None, verdicts: dict[int, GateVerdict], scope_key: str
) -> TileText:
    scene = context.scene_key.rpartition(".")[2]
    cut = context.cut_key.rpartition(".")[2]
    label = cut if scope_key.startswith(context.scene_key) else f"{scene} · {cut}"
    detail = f"{context.kind} · {context.film_frames / context.fps:.1f} s"
    if take is None:
        return TileText(label, detail, "missing", (context.description,))
    detail = f"take {take.take_number} · {detail}"
    verdict = verdicts.get(take.job_id)
    if verdict is None:
        return TileText(label, detail, "incomplete", (context.description, "not judged yet"))
    if verdict.verdict == "passed":
        return TileText(label, detail, "passed", (context.description,))
    return TileText(
        label, detail, "failed" if verdict.verdict == "failed" else "incomplete", (verdict.reason,)
    )


def _content_sha256(
    title: str, subtitle: str, texts: Sequence[TileText], takes: Sequence[ShownTake | None]
) -> str:
    tiles = [[asdict(text), take and take.pixels] for text, take in zip(texts, takes, strict=True)]
    sheet = [SHEET_VERSION, COLUMNS, STATUS_COLOURS, title, subtitle, tiles]
    return hashlib.sha256(json.dumps(sheet, ensure_ascii=False).encode()).hexdigest()


def _draw(
    session: Session,
    store: MediaStore,
    title: str,
    subtitle: str,
    texts: Sequence[TileText],
    takes: Sequence[ShownTake | None],
) -> str:
    tiles = [
        Tile(_middle_frame(store, take) if take else None, text.label, text.status, text.lines, text.detail)
        for text, take in zip(texts, takes, strict=True)
    ]
    sheet = draw_contact_sheet(title, tiles, COLUMNS, subtitle)
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    stored = store.put_bytes(buffer.getvalue(), ".png")
    record_media(session, stored, "image", MediaInfo("image", sheet.width, sheet.height, 1, None, "png"))
    return stored.sha256


def _middle_frame(store: MediaStore, take: ShownTake) -> Frame:
    if len(take.files) > 1:
        file = take.files[len(take.files) // 2]
        return next(iter_frames(store.local_path(file.sha256, file.suffix)))
    middle = (take.files[0].frame_count or 1) // 2
    frames = take.frames(store)
    # The file may hold fewer frames than was recorded; then its last one is shown.
    last = next(frames)
    for last in itertools.islice(frames, middle):  # noqa: B007
        pass
    return last
