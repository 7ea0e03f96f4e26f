"""Plans takes beyond those that cuts want: retakes, each a variant that no take of its story is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from sqlalchemy.orm import Session

from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.enqueue import NewTake, enqueue
from anime_pipeline.rendering.known_takes import KnownTake, known_takes
from anime_pipeline.rendering.planning import PlannedCut, picture_suffixes, wait_for_other_planners
from anime_pipeline.rendering.recipes import Recipe, compose_recipe
from anime_pipeline.rendering.templates import TemplateError, TemplateLibrary
from anime_pipeline.rendering.variants import FIRST, Further, Variant
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext

_MOST_TAKES = 1000


def plan_further_takes(
    session: Session, settings: Settings, further: Mapping[str, Further]
) -> dict[str, PlannedCut]:
    """Queue one further take of each cut (by its key): ``queued``, or ``failed`` with the reason.

    The caller stores the retakes that these takes answer, in the same transaction: the database refuses a
    take that nobody asked for. Planners of a project wait for each other, as in
    :func:`~anime_pipeline.rendering.planning.plan_cuts`.
    """
    contexts = load_render_contexts(session, settings, sorted(further))
    library, suffixes = TemplateLibrary.of(settings), picture_suffixes(session, contexts.values())
    wait_for_other_planners(session, {context.project_id for context in contexts.values()})
    known = known_takes(session, [context.cut_id for context in contexts.values()], None)
    planned: dict[str, PlannedCut] = {}
    new: list[NewTake] = []
    for key, context in contexts.items():
        takes = known.get(context.cut_id, [])
        number = max((take.take_number for take in takes), default=0) + 1
        try:
            first = compose_recipe(context, library, suffixes)
            variant, recipe = _unused(context, library, suffixes, first, takes, further[key])
        except TemplateError as error:
            reason = f"{error} ({error.remedy})" if error.remedy else str(error)
            planned[key] = PlannedCut(key, "failed", reason=reason)
            continue
        new.append(NewTake(context, recipe, number, variant, first.recipe_hash))
    for take, job_id in zip(new, enqueue(session, new), strict=True):
        key = take.context.cut_key
        planned[key] = PlannedCut(key, "queued", job_id, take.recipe.recipe_hash, take.take_number)
    return planned


def has_effect(
    context: CutContext, library: TemplateLibrary, suffixes: Mapping[str, str], further: Further
) -> bool:
    """Whether a further take so made differs from the cut's first one by more than its seed.

    It doesn't where the template has no place for it, or the cut no reference picture to be closer to.
    """
    return _differs(context, library, suffixes, _variant(1, further))


def takes_a_new_seed(context: CutContext, library: TemplateLibrary, suffixes: Mapping[str, str]) -> bool:
    """Whether another number makes another picture: not under seed policy fixed, nor without a seed."""
    return _differs(context, library, suffixes, Variant(2))


def _differs(
    context: CutContext, library: TemplateLibrary, suffixes: Mapping[str, str], variant: Variant
) -> bool:
    try:
        first, other = (compose_recipe(context, library, suffixes, one) for one in (FIRST, variant))
    except TemplateError:
        return False
    return first.recipe_hash != other.recipe_hash


def _variant(number: int, further: Further) -> Variant:
    return replace(FIRST, number=number, anchor_weight=further.anchor_weight, smoother=further.smoother)


def _unused(
    context: CutContext,
    library: TemplateLibrary,
    suffixes: Mapping[str, str],
    first: Recipe,
    takes: Collection[KnownTake],
    further: Further,
) -> tuple[Variant, Recipe]:
    """The first variant that no take of the cut is, by its number and by its recipe."""
    if further.again is not None:
        variant = replace(further.again, again=further.again.again + 1)
        return variant, compose_recipe(context, library, suffixes, variant)
    hashes = {take.recipe_hash for take in takes}
    numbers = {take.variant.number for take in takes if take.story_hash == first.recipe_hash}
    for number in range(1, _MOST_TAKES):
        if number in numbers:
            continue
        recipe = compose_recipe(context, library, suffixes, _variant(number, further))
        if recipe.recipe_hash not in hashes:
            return _variant(number, further), recipe
        if context.seed_policy == "fixed":
            raise TemplateError(
                f"{context.cut_key} has seed policy fixed, so another take of it would be the same",
                "ask for a change with it, such as --seed N",
            )
    raise TemplateError(
        f"{context.cut_key} has {_MOST_TAKES} takes of one recipe", "change the cut before a further retake"
    )
