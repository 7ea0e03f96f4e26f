"""Which take stands for a cut: a person's choice, else the best by score of those that passed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.rendering.current_takes import current_takes
from anime_pipeline.rendering.takes import TakeInfo, list_takes, select_takes, unselect_takes
from anime_pipeline.review.choices import choose_take, release_choice, wait_for_other_selections
from anime_pipeline.review.continuity import continuity_of
from anime_pipeline.review.formula import Found
from anime_pipeline.review.rejections import rejected_takes
from anime_pipeline.review.scoring import ScoredTake, Scorer, TakeScore, store_scores
from anime_pipeline.settings import Settings

__all__ = ["choose_take", "release_choice", "select_best"]

_CUTS = text("""
    SELECT p.cut_id, p.cut_key, p.project_id, p.kind, p.spec, p.omitted_at IS NOT NULL AS omitted,
           COALESCE(cardinality(c.character_ids), 0) > 0 AS has_cast,
           t.job_id AS selected, h.job_id AS chosen
    FROM studio.cut_profiles p
    JOIN cuts c ON c.id = p.cut_id
    LEFT JOIN studio.takes t ON t.cut_id = p.cut_id AND t.selected
    LEFT JOIN studio.take_choices h ON h.cut_id = p.cut_id AND h.released_at IS NULL
    WHERE p.cut_key = ANY(:keys)
       OR (p.omitted_at IS NULL AND regexp_replace(p.cut_key, '[.][^.]+$', '') = ANY(:scenes))
""")
_PROJECTS = text("SELECT DISTINCT project_id FROM studio.cut_profiles WHERE cut_key = ANY(:keys)")


def select_best(session: Session, settings: Settings, cut_keys: Collection[str]) -> dict[str, int | None]:
    """Select the take of each cut, and score all that are of the story as it is now.

    A person's choice stands. Else it is the best by score among the finished, unpruned takes of the present
    story that passed their gate and were not turned down; of equal scores, the newest. Where such takes are
    finished and none has passed, none is selected; where none is finished, the selection stays as it was.

    Continuous cuts that follow in a scene are scored and selected again too, in story order, since the take
    before them may be another now. The selected job ids by cut key, None for none, of all of these cuts.
    """
    keys = sorted(set(cut_keys))
    projects = session.scalars(_PROJECTS, {"keys": keys}).all()
    wait_for_other_selections(session, projects)
    cuts = _cuts_and_followers(session, keys)
    return _Selection(session, settings, cuts).made()


@dataclass(frozen=True)
class _Cut:
    """A cut with the one before it in its scene; ``looked_at`` as the call asks or because it follows one."""

    row: Any
    before: str | None
    is_continuous: bool
    is_looked_at: bool

    @property
    def key(self) -> str:
        return str(self.row.cut_key)

    @property
    def goes_on(self) -> bool:
        """Whether the picture itself begins with the last frame of the cut before."""
        return bool((self.row.spec or {}).get("continues"))


class _Selection:
    """One call of :func:`select_best`."""

    def __init__(self, session: Session, settings: Settings, cuts: list[_Cut]) -> None:
        self._session, self._settings = session, settings
        self._selected: dict[str, int | None] = {cut.key: cut.row.selected for cut in cuts}
        self._cuts = [cut for cut in cuts if cut.is_looked_at]
        keys = [cut.key for cut in self._cuts]
        self._takes: dict[str, list[TakeInfo]] = {key: [] for key in keys}
        rejected = rejected_takes(session, keys)
        for take in list_takes(session, keys):
            stands = take.reproduces_job_id is None and take.job_id not in rejected
            if stands and take.status == "completed" and take.pruned_at is None:
                self._takes[take.cut_key].append(take)
        self._current = current_takes(session, settings, keys)
        self._scorer = Scorer(session, list(_scored(self._cuts, self._takes)))
        self._moved: dict[str, _Cut] = {}
        self._scores: list[TakeScore] = []

    def made(self) -> dict[str, int | None]:
        """Decide cut by cut in story order, and write it."""
        for cut in self._cuts:
            if cut.goes_on and cut.before in self._moved:
                self._write()
                self._current |= current_takes(self._session, self._settings, [cut.key])
            chosen = self._decide(cut)
            if chosen != self._selected[cut.key]:
                self._moved[cut.key] = cut
                self._selected[cut.key] = chosen
        self._write()
        store_scores(self._session, self._scores)
        return {cut.key: self._selected[cut.key] for cut in self._cuts}

    def _decide(self, cut: _Cut) -> int | None:
        shown = [take for take in self._takes[cut.key] if take.job_id in self._current[cut.key]]
        passed = [take for take in shown if take.verdict == "passed"]
        scores = self._score(cut, shown, {take.job_id for take in passed})
        if cut.row.chosen is not None:
            return int(cut.row.chosen)
        if passed:
            return max(passed, key=lambda take: _rank(take, scores[take.job_id])).job_id
        return None if shown else self._selected[cut.key]

    def _score(self, cut: _Cut, takes: list[TakeInfo], passed: set[int]) -> dict[int, TakeScore]:
        before, distances = self._continuity(cut, passed)
        scores = {
            take.job_id: self._scorer.score(
                take.job_id, distances.get(take.job_id), before if take.job_id in distances else None
            )
            for take in takes
        }
        self._scores += scores.values()
        return scores

    def _continuity(self, cut: _Cut, passed: set[int]) -> tuple[int | None, dict[int, Found]]:
        """The take before, and each passed take's distance to it; nothing where that is not asked."""
        if not (cut.is_continuous and cut.before and self._scorer.weighs_continuity(cut.row.project_id)):
            return None, {}
        before = self._selected[cut.before]
        if before is None:
            lack = Found(
                None, f"{cut.before} has no selected take", f"anime-pipeline takes list {cut.before}"
            )
            return None, dict.fromkeys(passed, lack)
        pairs = {job_id: (before, job_id) for job_id in passed}
        found = continuity_of(self._session, self._settings, list(pairs.values()))
        return before, {job_id: found[pair] for job_id, pair in pairs.items()}

    def _write(self) -> None:
        emptied = [cut.row.cut_id for key, cut in self._moved.items() if self._selected[key] is None]
        unselect_takes(self._session, emptied)
        select_takes(self._session, [job for key in self._moved if (job := self._selected[key]) is not None])


def _rank(take: TakeInfo, score: TakeScore) -> tuple[float, int]:
    """Passed takes have something measured; one that no weight counts for ranks last."""
    return (-1.0 if score.score is None else score.score, take.take_number)


def _scored(cuts: list[_Cut], takes: dict[str, list[TakeInfo]]) -> Iterator[ScoredTake]:
    for cut in cuts:
        for take in takes[cut.key]:
            row = cut.row
            yield ScoredTake(take.job_id, row.project_id, row.kind, row.has_cast, take.server_kind)


def _cuts_and_followers(session: Session, keys: Collection[str]) -> list[_Cut]:
    """These cuts and all active ones of their scenes, in story order."""
    scenes = {key.rpartition(".")[0] for key in keys}
    rows = session.execute(_CUTS, {"keys": list(keys), "scenes": sorted(scenes)}).all()
    asked, cuts = set(keys), list[_Cut]()
    before: _Cut | None = None
    for row in sorted(rows, key=lambda row: str(row.cut_key)):
        neighbour = (
            before if before and _scene(before.key) == _scene(row.cut_key) and not row.omitted else None
        )
        follows = neighbour is not None and _is_continuous(row.spec or {})
        looked_at = row.cut_key in asked or (follows and neighbour is not None and neighbour.is_looked_at)
        cut = _Cut(row, neighbour.key if neighbour else None, follows, looked_at)
        cuts.append(cut)
        before = before if row.omitted else cut
    return cuts


def _scene(key: str) -> str:
    return key.rpartition(".")[0]


def _is_continuous(spec: dict[str, Any]) -> bool:
    # A cut that was imported before cuts could be continuous says only whether it continues.
    return bool(spec.get("continuous", spec.get("continues")))
