"""Plans renders: what is finished stays, what waits is found again, and only the rest becomes a new take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, MediaFile
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.enqueue import NewTake, enqueue
from anime_pipeline.rendering.ingredients import Ingredients, picture_shas
from anime_pipeline.rendering.known_takes import KnownTake, known_takes
from anime_pipeline.rendering.queue import requeue
from anime_pipeline.rendering.recipes import Recipe, compose_recipe, is_current
from anime_pipeline.rendering.superseded import withdraw_superseded
from anime_pipeline.rendering.takes import pruned_error
from anime_pipeline.rendering.templates import TemplateError, TemplateLibrary
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext


@dataclass(frozen=True)
class PlannedCut:
    """What is planned for one wanted take of a cut; a cut that wants three takes has three of these.

    ``current``: finished already. ``queued``: ``job_id`` is to be rendered. ``failed``: the cut cannot be
    rendered as it is, and ``reason`` says what to do.
    """

    cut_key: str
    state: Literal["current", "queued", "failed"]
    job_id: int | None = None
    recipe_hash: str | None = None
    take_number: int | None = None
    reason: str | None = None


def plan_cuts(session: Session, settings: Settings, cut_keys: Collection[str]) -> list[PlannedCut]:
    """Plan what is missing of the takes that these cuts want, in the order of their keys.

    Failed takes are queued again; retakes of the current story that wait are among what is planned. What
    waits for an earlier story is withdrawn where only a plan asked for it. Safe to call at once from several
    processes: planners of a project wait for each other until the session's transaction ends. Nothing is
    rendered here; see :func:`~anime_pipeline.rendering.worker.drain`.
    """
    keys = sorted(set(cut_keys))
    # Before the story is read, or the takes of a later one could be taken for those of an earlier.
    wait_for_other_planners(session, _projects(session, keys))
    contexts = load_render_contexts(session, settings, keys)
    library, suffixes = TemplateLibrary.of(settings), picture_suffixes(session, contexts.values())
    takes = known_takes(session, [context.cut_id for context in contexts.values()], MediaStore.of(settings))
    plan = _Plan(library, suffixes, takes)
    for key in keys:
        try:
            plan.add(contexts[key])
        except TemplateError as error:
            plan.fail(key, error)
    requeue(session, plan.again)
    withdrawn = withdraw_superseded(session, plan.superseded)
    return plan.done(enqueue(session, plan.new), withdrawn)


def _projects(session: Session, cut_keys: Collection[str]) -> set[int]:
    query = select(CutProfile.project_id).where(CutProfile.cut_key.in_(cut_keys))
    return set(session.scalars(query)) if cut_keys else set()


def picture_suffixes(session: Session, contexts: Iterable[CutContext]) -> dict[str, str]:
    """The suffixes of all pictures that the cuts may show, by sha256."""
    shas = set().union(*(picture_shas(context) for context in contexts))
    if not shas:
        return {}
    rows = session.execute(select(MediaFile.sha256, MediaFile.suffix).where(MediaFile.sha256.in_(shas)))
    return {row.sha256: row.suffix for row in rows}


class _Plan:
    """What one call of :func:`plan_cuts` has decided so far."""

    def __init__(
        self, library: TemplateLibrary, suffixes: Mapping[str, str], takes: Mapping[int, list[KnownTake]]
    ) -> None:
        self._library = library
        self._suffixes = suffixes
        self._takes = takes
        self._planned: list[PlannedCut | int] = []  # an int is a place in `new`, whose job has no id yet
        self.new: list[NewTake] = []
        self.again: list[int] = []
        self.superseded: dict[int, Ingredients] = {}

    def add(self, context: CutContext) -> None:
        """Decide about each wanted take of a cut, and find its retakes and what is superseded that wait."""
        numbered = self._takes.get(context.cut_id, [])
        known = [take for take in numbered if not take.is_reproduction]
        wanted = self._wanted(context)
        story_hash, (_, first) = next(iter(wanted.items()))
        number = max((take.take_number for take in numbered), default=0)
        for variant, recipe in wanted.values():
            same = [take for take in known if take.recipe_hash == recipe.recipe_hash]
            finished = next((take for take in reversed(same) if take.is_whole), None)
            waiting = next((take for take in reversed(same) if not take.is_finished), None)
            pruned = next((take for take in reversed(same) if take.is_pruned), None)
            if finished is not None:
                self._planned.append(_planned(context, "current", finished))
            elif waiting is None and pruned is not None:
                self._planned.append(_planned_pruned(context, pruned, known, wanted))
            elif waiting is None:
                number += 1
                self._planned.append(len(self.new))
                self.new.append(NewTake(context, recipe, number, variant, story_hash))
            elif waiting.is_ended:
                self.again.append(waiting.job_id)
                self._planned.append(_planned(context, "queued", waiting))
        for take in known:
            waits = take.story_hash == story_hash and not (take.is_finished or take.is_ended)
            if waits and self._is_current(context, take):
                self._planned.append(_planned(context, "queued", take))
            if take.status == "queued" and take.recipe_hash not in wanted:
                self.superseded[take.job_id] = first.ingredients

    def fail(self, cut_key: str, error: TemplateError) -> None:
        """A cut that cannot be rendered as it is; no other cut is held up by it."""
        reason = f"{error} ({error.remedy})" if error.remedy else str(error)
        self._planned.append(PlannedCut(cut_key, "failed", reason=reason))

    def done(self, job_ids: list[int], withdrawn: Collection[int]) -> list[PlannedCut]:
        """Everything planned but what was withdrawn, new takes with the ids that they were given."""
        return [
            one
            if isinstance(one, PlannedCut)
            else PlannedCut(
                self.new[one].context.cut_key, "queued", job_ids[one],
                self.new[one].recipe.recipe_hash, self.new[one].take_number,
            )
            for one in self._planned
            if not (isinstance(one, PlannedCut) and one.job_id in withdrawn)
        ]  # fmt: skip

    def _wanted(self, context: CutContext) -> dict[str, tuple[Variant, Recipe]]:
        """The takes that a cut wants by recipe, the first one first."""
        wanted: dict[str, tuple[Variant, Recipe]] = {}
        for number in range(1, context.takes_wanted + 1):
            recipe = compose_recipe(context, self._library, self._suffixes, Variant(number))
            wanted.setdefault(recipe.recipe_hash, (Variant(number), recipe))
        return wanted

    def _is_current(self, context: CutContext, take: KnownTake) -> bool:
        return is_current(context, self._library, self._suffixes, take.recipe_hash, take.variant)


def _planned(context: CutContext, state: Literal["current", "queued"], take: KnownTake) -> PlannedCut:
    return PlannedCut(context.cut_key, state, take.job_id, take.recipe_hash, take.take_number)


def _planned_pruned(
    context: CutContext, pruned: KnownTake, known: Iterable[KnownTake], wanted: Collection[str]
) -> PlannedCut:
    """A take that was rendered and lost its media by intent counts as rendered while another can be shown."""
    if any(take.is_whole and take.recipe_hash in wanted for take in known):
        return _planned(context, "current", pruned)
    error = pruned_error(pruned.job_id)
    return PlannedCut(context.cut_key, "failed", reason=f"{error} ({error.remedy})")


def wait_for_other_planners(session: Session, project_ids: set[int]) -> None:
    """Hold off whoever would number takes of these projects until this session's transaction ends."""
    for project_id in sorted(project_ids):
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('anime_pipeline.plan'), :project_id)"),
            {"project_id": project_id},
        )
