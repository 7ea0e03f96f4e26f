"""What is tried when a take fails, by what it fails at: plain functions of what failed and what was tried."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Cause = Literal["contract", "identity", "motion", "look", "cost"]
Strategy = Literal["same_seed", "new_seed", "stronger_anchor", "smoother"]

# In the order in which they decide: a broken file says nothing of a face, a wrong face is worth no smoothing.
CAUSES: dict[Cause, frozenset[str]] = {
    "contract": frozenset({"media_contract"}),
    "identity": frozenset({"face_similarity", "subject_consistency", "characters_found"}),
    "motion": frozenset(
        {"temporal_flicker", "temporal_lpips", "loop_closure", "motion_smoothness", "dynamic_degree",
         "shot_changes"}
    ),
    "look": frozenset({"aesthetic", "style_adherence", "palette_adherence"}),
    "cost": frozenset({"generation_seconds", "reproducible"}),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One thing to try. ``anchor_weight`` multiplies the weight of the reference picture."""

    strategy: Strategy
    anchor_weight: float = 1.0


# Another take costs no less, and is no more the same: the last cause has nothing to try.
STEPS: dict[Cause, tuple[Step, ...]] = {
    "contract": (Step("same_seed"),),
    "identity": (Step("new_seed"), Step("stronger_anchor", 1.25), Step("stronger_anchor", 1.5)),
    "motion": (Step("new_seed"), Step("smoother"), Step("smoother")),
    "look": (Step("new_seed"), Step("new_seed")),
    "cost": (),
}


@dataclass(frozen=True)
class Possible:
    """What a cut's workflow and seed policy allow."""

    new_seed: bool = True
    stronger_anchor: bool = True
    smoother: bool = True


@dataclass(frozen=True)
class Chosen:
    """The next step, None where none is left; ``reason`` says why it is this one."""

    step: Step | None
    reason: str


def cause_of(metrics: Collection[str]) -> Cause:
    """The cause that decides what is tried, of the metrics that a take failed; an unknown one is a look."""
    return next((cause for cause, named in CAUSES.items() if named & set(metrics)), "look")


def choose(cause: Cause, tried: int, possible: Possible, workflow: str) -> Chosen:
    """The step after so many that were tried for this cause.

    What the workflow has no place for becomes a new seed, and what the seed policy forbids is passed over.
    """
    steps = STEPS[cause]
    for step in steps[tried:]:
        chosen = _made_possible(step, possible, workflow)
        if chosen is not None:
            return chosen
    if not steps:
        return Chosen(None, f"another take would not mend {cause}")
    return Chosen(None, f"everything was tried that helps against {cause}")


def said_of(steps: Sequence[str]) -> str:
    """What was tried, in words: ``new_seed, then smoother``."""
    return ", then ".join(step.replace("_", " ") for step in steps) or "nothing"


def _made_possible(step: Step, possible: Possible, workflow: str) -> Chosen | None:
    fresh = Step("new_seed")
    if step.strategy == "stronger_anchor" and not possible.stronger_anchor:
        why = f"workflow {workflow} has no anchor weight to strengthen for this cut, so a new seed"
        return Chosen(fresh, why) if possible.new_seed else None
    if step.strategy == "smoother" and not possible.smoother:
        why = f"workflow {workflow} has no smoother settings, so a new seed"
        return Chosen(fresh, why) if possible.new_seed else None
    if step.strategy == "new_seed" and not possible.new_seed:
        return None
    if step.strategy == "stronger_anchor":
        return Chosen(step, f"the reference picture weighs {step.anchor_weight:g} times as much")
    if step.strategy == "smoother":
        return Chosen(step, f"workflow {workflow} with its smoother settings")
    return Chosen(step, "the same recipe once more" if step.strategy == "same_seed" else "a new seed")
