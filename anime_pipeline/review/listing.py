"""The takes of cuts as a person reviews them: scored, chosen, current or stale, and why one stands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, Take
from anime_pipeline.rendering.current_takes import current_takes
from anime_pipeline.rendering.takes import LIST_TAKES, TakeError, TakeInfo, list_takes
from anime_pipeline.review.choices import Choice, choices_of, holding_choice
from anime_pipeline.review.rejections import rejected_takes
from anime_pipeline.review.scoring import TakeScore, scores_of
from anime_pipeline.settings import Settings


@dataclass(frozen=True)
class ReviewedTake:
    """A take with its score (None: never scored), every choice that was made of it, oldest first, whether it
    shows the story as it is now, and whether it was turned down.
    """

    take: TakeInfo
    score: TakeScore | None
    choices: tuple[Choice, ...]
    is_current: bool
    is_rejected: bool

    @property
    def choice(self) -> Choice | None:
        """The choice that holds."""
        return holding_choice(self.choices)

    @property
    def standing(self) -> str:
        """``chosen`` by a person, ``selected`` by its score, with ``stale`` where the story has moved on;
        ``pruned``; ``rejected``; or nothing.
        """
        if self.take.pruned_at is not None:
            return "pruned"
        word = "chosen" if self.choice else "selected" if self.take.selected else ""
        if not word and self.is_rejected:
            return "rejected"
        return f"{word}, stale" if word and not self.is_current else word


def review_takes(session: Session, settings: Settings, cut_keys: Collection[str]) -> list[ReviewedTake]:
    """All takes of these cuts, in story order and then oldest first."""
    takes = list_takes(session, cut_keys)
    jobs = [take.job_id for take in takes]
    scores, choices = scores_of(session, jobs), choices_of(session, jobs)
    current = current_takes(session, settings, {take.cut_key for take in takes})
    rejected = rejected_takes(session, cut_keys)
    return [
        ReviewedTake(
            take,
            scores.get(take.job_id),
            tuple(choices.get(take.job_id, ())),
            take.job_id in current[take.cut_key],
            take.job_id in rejected,
        )
        for take in takes
    ]


def review_take(session: Session, settings: Settings, job_id: int) -> ReviewedTake:
    """One take. Raises :class:`~anime_pipeline.rendering.takes.TakeError` for a job that is none."""
    key = session.scalar(
        select(CutProfile.cut_key).join(Take, Take.cut_id == CutProfile.cut_id).where(Take.job_id == job_id)
    )
    if key is None:
        raise TakeError(f"job {job_id} is no take", LIST_TAKES)
    return next(one for one in review_takes(session, settings, [key]) if one.take.job_id == job_id)


def reasons_of_selection(session: Session, settings: Settings, cut_keys: Collection[str]) -> dict[str, str]:
    """Why each cut's take stands, or why none does, in words; of cuts that have takes."""
    by_cut: dict[str, list[ReviewedTake]] = {}
    for one in review_takes(session, settings, cut_keys):
        by_cut.setdefault(one.take.cut_key, []).append(one)
    return {key: reason_of(takes) for key, takes in by_cut.items()}


def reason_of(takes: Sequence[ReviewedTake]) -> str:
    """Why the take of one cut stands, from all of its takes."""
    selected = next((one for one in takes if one.take.selected), None)
    if selected is None:
        shown = [one for one in takes if one.take.status == "completed" and one.is_current]
        if any(one.is_rejected and one.take.verdict == "passed" for one in shown):
            return "none selected: each take of the story as it is now that passed was turned down"
        return "none selected: no take of the story as it is now has passed" if shown else "none is finished"
    number = f"take {selected.take.take_number}"
    stale = "" if selected.is_current else "; it shows an earlier story"
    if selected.choice is not None:
        note = f": {selected.choice.note}" if selected.choice.note else ""
        return f"{number}, chosen by {selected.choice.chosen_by}{note}{stale}"
    if not selected.is_current:
        return f"{number}, kept{stale}, and nothing of the present one is finished"
    rivals = [one for one in takes if one is not selected and _competes(one)]
    if not rivals:
        return f"{number}, the only take of the present story that passed; {_made_of(selected.score)}"
    against = ", ".join(f"{_number(one.score)} of take {one.take.take_number}" for one in _best_first(rivals))
    return f"{number}, selected because {_number(selected.score)} vs {against}; {_made_of(selected.score)}"


def _competes(one: ReviewedTake) -> bool:
    stands = not one.is_rejected and one.take.pruned_at is None
    return stands and one.is_current and one.take.verdict == "passed"


def _best_first(takes: Iterable[ReviewedTake]) -> list[ReviewedTake]:
    return sorted(takes, key=lambda one: (-(one.score.score or 0) if one.score else 0, -one.take.take_number))


def _number(score: TakeScore | None) -> str:
    return "no score" if score is None or score.score is None else f"{score.score:.4f}"


def _made_of(score: TakeScore | None) -> str:
    if score is None or not score.counted:
        return "nothing that counts is measured"
    terms = ", ".join(f"{term.metric} {term.quality:.3f} × {term.weight:g}" for term in score.counted)
    return f"terms {terms}"
