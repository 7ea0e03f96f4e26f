"""Says of each cut whether its finished takes still show the story as it is now, and what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.cycle_collection import cycle_collection_paused
from anime_pipeline.database.models import Take
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.changes import Change, changes_between
from anime_pipeline.rendering.failing import with_verdicts
from anime_pipeline.rendering.known_takes import KnownTake, known_takes
from anime_pipeline.rendering.takes import pruned_error
from anime_pipeline.rendering.wanted_recipes import Wanted, ingredients_now, wanted_recipes
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys

State = Literal["current", "stale", "missing", "failed", "queued", "failing", "in_review"]
TO_RENDER = ("stale", "missing", "failed", "queued")
"""The states of a cut that lacks a take of its story."""
FAILING = ("failing", "in_review")
"""The states of a cut that has every take of its story, none of which passes."""


@dataclass(frozen=True)
class CutState:
    """A cut against its takes.

    ``current``: each wanted take is finished. ``queued``: what is missing, or a retake, waits or is rendered.
    ``failed``: a render failed, or the cut cannot be rendered as it is (``reason``). ``stale``: finished
    takes show an older story, ``changes`` names what differs from the selected one, else the newest.
    ``missing``: nothing is finished. ``failing``: everything is finished, and nothing of it passes.
    ``in_review``: so, and no further take is planned by itself; ``reason`` says why and what was tried.
    ``retakes`` counts those that were ever asked for. ``job_id`` is that take; ``recipe_hash`` is the first
    wanted take's, None where the cut cannot be rendered.
    """

    cut_key: str
    state: State
    job_id: int | None = None
    changes: tuple[Change, ...] = ()
    recipe_hash: str | None = None
    reason: str | None = None
    retakes: int = 0


def cut_states(
    session: Session, settings: Settings, scope: str | None = None, check_files: bool = True
) -> list[CutState]:
    """The state of every active cut in a scope (project, episode, scene, cut; None: all), in story order.

    A constant number of queries. ``check_files`` also asks the media store whether each take's files are
    there.
    """
    return states_of(session, settings, active_cut_keys(session, scope), check_files)


@cycle_collection_paused()
def states_of(
    session: Session, settings: Settings, keys: Sequence[str], check_files: bool = True
) -> list[CutState]:
    """The state of these cuts, in the order given; as :func:`cut_states`."""
    wanted = wanted_recipes(session, settings, keys)
    store = MediaStore.of(settings) if check_files else None
    takes = known_takes(session, [cut.cut_id for cut in wanted.values()], store)
    states = [_state(key, wanted[key], takes.get(wanted[key].cut_id, [])) for key in keys]
    return with_verdicts(session, _with_changes(session, settings, states))


def _state(cut_key: str, cut: Wanted, takes: list[KnownTake]) -> CutState:
    takes = [take for take in takes if not take.is_reproduction]
    finished = [take for take in takes if take.is_whole]
    newest = next((take for take in finished if take.selected), finished[-1] if finished else None)
    job_id = newest.job_id if newest else None
    if cut.error is not None:
        return CutState(cut_key, "failed", job_id, reason=str(cut.error))
    wanted = cut.recipe_hashes
    first = wanted[0]
    done = {take.recipe_hash for take in finished}
    missing = [recipe for recipe in wanted if recipe not in done]
    pruned = {take.recipe_hash: take for take in takes if take.is_pruned}
    if len(missing) < len(wanted):
        missing = [recipe for recipe in missing if recipe not in pruned]
    elif missing[0] in pruned:
        error = pruned_error(pruned[missing[0]].job_id)
        reason = f"{error}: {error.remedy}"
        return CutState(cut_key, "failed", job_id, recipe_hash=first, reason=reason)
    if not missing:
        shown = newest if newest and newest.selected else _take_of(wanted, finished)
        return CutState(cut_key, "current", shown.job_id, recipe_hash=first)
    pending = [_newest_unfinished(recipe, takes) for recipe in missing]
    ended = next((take for take in pending if take is not None and take.is_ended), None)
    if ended is not None:
        return CutState(cut_key, "failed", ended.job_id, recipe_hash=first, reason=ended.error_message)
    waiting = next((take for take in pending if take is not None), None)
    if waiting is not None:
        return CutState(cut_key, "queued", waiting.job_id, recipe_hash=first)
    if newest is None:
        return CutState(cut_key, "missing", recipe_hash=first)
    # Where nothing of the story differs, another take is wanted, or the renderer is told in another way.
    retold = (Change("recipe", newest.recipe_hash, missing[0]),)
    return CutState(cut_key, "stale", job_id, retold, recipe_hash=first)


def _with_changes(session: Session, settings: Settings, states: list[CutState]) -> list[CutState]:
    """The states, stale ones with what of the story differs; two queries where there are any."""
    stale = {state.cut_key: state.job_id for state in states if state.state == "stale"}
    if not stale:
        return states
    rows = session.execute(select(Take.job_id, Take.ingredients).where(Take.job_id.in_(stale.values())))
    told = {row.job_id: row.ingredients for row in rows}
    now = ingredients_now(session, settings, stale)
    return [
        replace(state, changes=changes_between(told[state.job_id], now[state.cut_key]) or state.changes)
        if state.state == "stale"
        else state
        for state in states
    ]


def _take_of(recipes: Sequence[str], takes: list[KnownTake]) -> KnownTake:
    """The newest whole take of the first of these recipes that has one."""
    ours = [take for take in reversed(takes) if take.recipe_hash in recipes]
    return min(ours, key=lambda take: recipes.index(take.recipe_hash))


def _newest_unfinished(recipe: str, takes: list[KnownTake]) -> KnownTake | None:
    """The newest that was not finished; one that an edit withdrew, which is undone, counts as never asked."""
    pending = [take for take in takes if not (take.is_finished or take.is_superseded)]
    same = [take for take in pending if take.recipe_hash == recipe]
    return same[-1] if same else None
