"""What is known of takes: their measurements beside the thresholds that decide, and the verdict on each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, Job, Measurement, Take
from anime_pipeline.quality.errors import GateNotPassedError
from anime_pipeline.quality.evidence import FINISHED
from anime_pipeline.quality.gates import Verdict, judge_cuts, require_gate
from anime_pipeline.quality.phases import ANIMATIC_PHASE, Phase, Rule, load_phases, phase_of_take


@dataclass(frozen=True)
class ShownScore:
    """A metric of a take. ``passed`` is None where the take's phase asks nothing or it is unmeasured."""

    metric: str
    state: str
    value: float | None
    passed: bool | None
    per_frame: tuple[float | None, ...]
    reason: str | None
    remedy: str | None
    backend: str
    rule: Rule | None

    @property
    def said(self) -> str:
        """The score in words: value and threshold, or why there is none."""
        if self.value is None:
            return f"{self.state}: {self.reason}" + (f" ({self.remedy})" if self.remedy else "")
        if self.rule is None or self.rule.threshold is None:
            return f"{self.value:.4f}, reported"
        sign = "≥" if self.rule.comparison == "at_least" else "≤"
        return f"{self.value:.4f}, asked {sign} {self.rule.threshold:g}"

    @property
    def worst_frame(self) -> tuple[int, float] | None:
        """The frame nearest to failing and its value; None where none is asked of frames or all are alike."""
        frames = [(value, frame) for frame, value in enumerate(self.per_frame) if value is not None]
        if self.rule is None or self.rule.threshold is None or len({value for value, _ in frames}) < 2:
            return None
        value = (min if self.rule.comparison == "at_least" else max)(frames)[0]
        return self.per_frame.index(value), value


@dataclass(frozen=True)
class TakeScores:
    """A take with its scores and the verdict of the phase that it was made for."""

    cut_key: str
    job_id: int
    take_number: int
    phase: str
    verdict: Verdict
    scores: tuple[ShownScore, ...]

    def score(self, metric: str) -> ShownScore | None:
        """The score of a metric, None where no phase asks it of this kind of cut."""
        return next((score for score in self.scores if score.metric == metric), None)


@dataclass(frozen=True)
class _JudgedTake:
    job_id: int
    take_number: int
    cut_key: str
    project_id: int
    phase: Phase


def judge_takes(session: Session, job_ids: Collection[int]) -> dict[int, Verdict]:
    """Judge finished takes, each by the phase that it was made for, and keep what is new; by job id.

    One that renders another take again stands for nothing and is passed over. A constant number of queries
    for each phase among the takes.
    """
    verdicts: dict[int, Verdict] = {}
    takes = _judged_takes(session, job_ids)
    for batch in _one_take_a_cut(takes):
        found = judge_cuts(
            session, [t.cut_key for t in batch], batch[0].phase.name, [t.job_id for t in batch]
        )
        verdicts |= {take.job_id: found[take.cut_key] for take in batch if take.cut_key in found}
    return verdicts


def take_scores(session: Session, job_ids: Collection[int]) -> dict[int, TakeScores]:
    """The scores and verdicts of finished takes, by job id; judges what isn't judged yet."""
    verdicts = judge_takes(session, job_ids)
    measured = _measurements(session, job_ids)
    return {
        take.job_id: TakeScores(
            take.cut_key,
            take.job_id,
            take.take_number,
            take.phase.name,
            verdicts[take.job_id],
            tuple(_shown(row, take.phase) for row in measured.get(take.job_id, ())),
        )
        for take in _judged_takes(session, job_ids)
        if take.job_id in verdicts
    }


def finished_takes(session: Session, cut_keys: Collection[str]) -> dict[str, list[int]]:
    """Job ids of the finished, unpruned takes of each cut that has one, oldest first."""
    rows = session.execute(
        select(CutProfile.cut_key, Take.job_id)
        .join(Take, Take.cut_id == CutProfile.cut_id)
        .join(Job, Job.id == Take.job_id)
        .where(
            CutProfile.cut_key.in_(list(cut_keys)),
            Job.status.in_(FINISHED),
            Take.reproduces_job_id.is_(None),
            Take.pruned_at.is_(None),
        )
        .order_by(CutProfile.cut_key, Take.take_number)
    )
    takes: dict[str, list[int]] = {}
    for cut_key, job_id in rows:
        takes.setdefault(cut_key, []).append(job_id)
    return takes


def standing_takes(session: Session, cut_keys: Collection[str]) -> dict[str, int]:
    """The take that stands for each cut that has a finished one: the selected, else the newest."""
    selected = set(
        session.scalars(
            select(Take.job_id)
            .join(CutProfile, CutProfile.cut_id == Take.cut_id)
            .where(CutProfile.cut_key.in_(list(cut_keys)), Take.selected)
        )
    )
    return {
        key: next((job_id for job_id in job_ids if job_id in selected), job_ids[-1])
        for key, job_ids in finished_takes(session, cut_keys).items()
    }


def unmeasured_takes(session: Session) -> dict[str, int]:
    """Active cuts that have a finished take without any measurement, with the newest such take's job id."""
    rows = session.execute(
        select(CutProfile.cut_key, func.max(Take.job_id).label("job_id"))
        .join(Take, Take.cut_id == CutProfile.cut_id)
        .join(Job, Job.id == Take.job_id)
        .where(CutProfile.omitted_at.is_(None), Job.status.in_(FINISHED), Take.pruned_at.is_(None))
        .where(~exists().where(Measurement.job_id == Take.job_id))
        .group_by(CutProfile.cut_key)
    )
    return {row.cut_key: row.job_id for row in rows}


def binding_phases(session: Session, episode_key: str) -> tuple[str, ...]:
    """The phases that an episode's film has to pass, by what its takes are.

    A kind of cut whose takes are all ComfyUI renders answers to its own phase; while an animatic or nothing
    stands for a cut of it, the film is an animatic and answers to phase 0.
    """
    rows = session.execute(
        select(CutProfile.cut_key, CutProfile.kind, CutProfile.project_id).where(
            CutProfile.cut_key.startswith(f"{episode_key}."), CutProfile.omitted_at.is_(None)
        )
    ).all()
    standing = standing_takes(session, [row.cut_key for row in rows])
    taken = {take.cut_key: take.phase.name for take in _judged_takes(session, list(standing.values()))}
    by_kind: dict[str, set[str]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, set()).add(taken.get(row.cut_key, ANIMATIC_PHASE))
    bound = {phases.pop() if len(phases) == 1 else ANIMATIC_PHASE for phases in by_kind.values()}
    return tuple(sorted(bound)) or (ANIMATIC_PHASE,)


def require_binding_gates(session: Session, episode_key: str) -> list[Verdict]:
    """The verdicts of every gate that the episode's film answers to, passed or overridden.

    Raises ``GateNotPassedError`` where one of them is shut.
    """
    return [require_gate(session, episode_key, phase) for phase in binding_phases(session, episode_key)]


def shut_gates(session: Session, episode_keys: Iterable[str]) -> dict[str, GateNotPassedError]:
    """Why the film of each of these episodes waits; one whose gates are open is left out."""
    shut = {}
    for key in episode_keys:
        try:
            require_binding_gates(session, key)
        except GateNotPassedError as error:
            shut[key] = error
    return shut


def require_same_gates(session: Session, verdicts: Iterable[Verdict]) -> None:
    """Raise ``GateNotPassedError`` where what these gates judged has changed since they were asked.

    For whoever takes long to build on them: takes are selected and measured meanwhile.
    """
    for verdict in verdicts:
        if require_gate(session, verdict.scope_key, verdict.phase).judged_sha256 != verdict.judged_sha256:
            raise GateNotPassedError(
                f"takes of {verdict.scope_key} changed while this was built on its {verdict.phase}",
                "build it again",
            )


def _judged_takes(session: Session, job_ids: Collection[int]) -> list[_JudgedTake]:
    rows = session.execute(
        select(
            Take.job_id,
            Take.take_number,
            Take.server_kind,
            CutProfile.cut_key,
            CutProfile.kind,
            CutProfile.project_id,
        )
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .join(Job, Job.id == Take.job_id)
        .where(Take.job_id.in_(list(job_ids)), Job.status.in_(FINISHED), Take.reproduces_job_id.is_(None))
        .order_by(CutProfile.cut_key, Take.take_number)
    ).all()
    phases = load_phases(session, {row.project_id for row in rows})
    return [
        _JudgedTake(
            row.job_id,
            row.take_number,
            row.cut_key,
            row.project_id,
            phase_of_take(phases[row.project_id], row.kind, row.server_kind),
        )
        for row in rows
    ]


def _one_take_a_cut(takes: Iterable[_JudgedTake]) -> list[list[_JudgedTake]]:
    """Takes of one project and phase together, and of each cut at most one: what can be judged at once."""
    batches: dict[tuple[int, str, int], list[_JudgedTake]] = {}
    nth: dict[str, int] = {}
    for take in takes:
        nth[take.cut_key] = nth.get(take.cut_key, -1) + 1
        batches.setdefault((take.project_id, take.phase.name, nth[take.cut_key]), []).append(take)
    return list(batches.values())


def _measurements(session: Session, job_ids: Collection[int]) -> Mapping[int, list[Measurement]]:
    found: dict[int, list[Measurement]] = {}
    query = select(Measurement).where(Measurement.job_id.in_(list(job_ids))).order_by(Measurement.metric_name)
    for row in session.scalars(query):
        found.setdefault(row.job_id, []).append(row)
    return found


def _shown(row: Measurement, phase: Phase) -> ShownScore:
    rule = next((rule for rule in phase.rules if rule.metric == row.metric_name), None)
    return ShownScore(
        row.metric_name,
        row.state,
        row.value,
        rule.passes(row.value) if rule is not None and row.value is not None else None,
        tuple(row.per_frame or ()),
        row.reason,
        row.remedy,
        row.backend,
        rule,
    )
