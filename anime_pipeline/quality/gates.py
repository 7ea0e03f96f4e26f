"""Gates: the verdict on a take, a scene, an episode or a project, kept as judged and known to be stale.

A gate is open where its scope has passed, or where a person has overridden it for what is there now.

Nothing here commits; the caller's transaction does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from anime_pipeline.cycle_collection import cycle_collection_paused
from anime_pipeline.database.models import CutProfile, Episode, ProjectProfile, Scene, Take
from anime_pipeline.quality.errors import GateNotPassedError, UnknownScopeError
from anime_pipeline.quality.evidence import CutEvidence, load_evidence, load_evidence_of_takes, within
from anime_pipeline.quality.judging import Judgement, judge_scope_evidence
from anime_pipeline.quality.override_log import Override, standing_overrides
from anime_pipeline.quality.phases import CUTS_GATE, Phase, load_phases, phase_named, phase_of_take
from anime_pipeline.quality.verdicts import (
    GateState,
    Verdict,
    as_verdict,
    in_force,
    keep_verdicts,
    newest_verdicts,
)
from anime_pipeline.story.keys import CutKey, SceneKey, Scope, parse_scope

__all__ = [
    "Explanation",
    "Verdict",
    "explain",
    "judge_cut",
    "judge_cuts",
    "judge_jobs",
    "judge_scope",
    "latest_verdict",
    "latest_verdicts",
    "require_gate",
]


@dataclass(frozen=True)
class Explanation:
    """A gate as it stands now: what is asked, what each cut has, and the newest stored verdict if any.

    ``override`` is the one that opens the gate as it stands, where it has not passed.
    """

    scope_key: str
    phase: Phase
    judgement: Judgement
    latest: Verdict | None
    override: Override | None = None
    one_cut: bool = False

    @property
    def state(self) -> GateState:
        """How the gate stands now, whatever verdict is stored."""
        return self.judgement.verdict if self.override is None else "overridden"

    @property
    def remedies(self) -> tuple[str, ...]:
        """The commands that mend what keeps the gate shut, as far as a command can; else that override it."""
        if self.state in ("passed", "overridden"):
            return ()
        found = dict.fromkeys(entry.remedy for entry in self.judgement.missing if entry.remedy)
        counted, needed = len(self.judgement.cuts), self.phase.minimum_cuts
        if not found and 0 < counted < needed:
            project = self.scope_key.partition(".")[0]
            found[f"anime-pipeline gates threshold set {project} {CUTS_GATE} {counted} --by NAME"] = None
        open_it = f"anime-pipeline gates override {self.scope_key} {self.phase.name} --by NAME --reason TEXT"
        return (*(remedy for remedy in found if remedy), *(() if self.one_cut else (open_it,)))


TAKES = "anime-pipeline takes list CUT tells the jobs of a cut"


@cycle_collection_paused()
def judge_scope(session: Session, scope_key: str, phase: str) -> Verdict:
    """Judge a scene, an episode, a project or a cut, and keep the verdict if it is a new one.

    Seven or eight queries for any number of cuts. Raises :class:`UnknownScopeError`.
    """
    if isinstance(parse_scope(scope_key), CutKey):
        return judge_cut(session, scope_key, phase)
    project_id, rules, evidence = _look(session, scope_key, phase)
    judgement = judge_scope_evidence(evidence, rules, scope_key)
    return keep_verdicts(session, project_id, rules, [(scope_key, None, judgement)])[scope_key]


def judge_cut(session: Session, cut_key: str, phase: str, job_id: int | None = None) -> Verdict:
    """Judge a cut's take: ``job_id``, else the selected take, else the newest finished one.

    Raises :class:`UnknownScopeError` where there is none, and for another phase than the take was made for:
    its newest verdict decides whether it may be selected.
    """
    project_id, rules = _rules(session, cut_key, phase)
    job_ids = [] if job_id is None else [job_id]
    (cut,) = _evidence_of_cuts(session, [cut_key], rules, job_ids)
    if cut.job_id is None:
        raise UnknownScopeError(
            f"{cut_key} has no finished take that {phase} judges", f"anime-pipeline takes list {cut_key}"
        )
    server_kind = session.scalar(select(Take.server_kind).where(Take.job_id == cut.job_id))
    own = phase_of_take(load_phases(session, [project_id])[project_id], cut.kind, server_kind).name
    if own != phase:
        raise UnknownScopeError(
            f"take {cut.take_number} of {cut_key} answers to {own}, not to {phase}", f"judge it by {own}"
        )
    return judge_cuts(session, [cut_key], phase, job_ids)[cut_key]


@cycle_collection_paused()
def judge_cuts(
    session: Session, cut_keys: Sequence[str], phase: str, job_ids: Sequence[int] = ()
) -> dict[str, Verdict]:
    """Judge the cuts of one project that have a take, each by itself, in a constant number of queries."""
    if not cut_keys:
        return {}
    project_id, rules = _rules(session, cut_keys[0], phase)
    evidence = _evidence_of_cuts(session, cut_keys, rules, job_ids)
    judged = [
        (cut.cut_key, cut.job_id, judge_scope_evidence([cut], rules, cut.cut_key, one_cut=True))
        for cut in evidence
        if cut.job_id is not None
    ]
    return keep_verdicts(session, project_id, rules, judged)


def latest_verdict(session: Session, scope_key: str, phase: str) -> Verdict | None:
    """The newest stored verdict of a scope, with ``stale`` told by looking at what it would judge now."""
    return explain(session, scope_key, phase).latest


@cycle_collection_paused()
def latest_verdicts(session: Session, scope_keys: Sequence[str], phase: str) -> dict[str, Verdict]:
    """The newest stored verdict of each of these scopes of one project that has one, told stale or not.

    A constant number of queries, unless their takes were measured by several backends.
    """
    newest = newest_verdicts(session, scope_keys, phase)
    if not newest:
        return {}
    _, rules = _rules(session, next(iter(newest)), phase)
    evidence = load_evidence(session, or_(*map(within, newest)), rules)
    mixed = any(cut.strangers for cut in evidence)  # who is a stranger is told by each scope's own takes
    found = {}
    for key, row in newest.items():
        own = (
            load_evidence(session, within(key), rules)
            if mixed
            else [cut for cut in evidence if f"{cut.cut_key}.".startswith(f"{key}.")]
        )
        one_cut = isinstance(parse_scope(key), CutKey)
        found[key] = as_verdict(row, judge_scope_evidence(own, rules, key, one_cut), rules)
    return found


@cycle_collection_paused()
def explain(session: Session, scope_key: str, phase: str) -> Explanation:
    """What a gate asks and how each cut stands, judged now and without keeping anything."""
    _, rules, evidence = _look(session, scope_key, phase)
    one_cut = isinstance(parse_scope(scope_key), CutKey)
    judgement = judge_scope_evidence(evidence, rules, scope_key, one_cut)
    override = in_force(standing_overrides(session, [scope_key], phase).get(scope_key, ()), judgement)
    row = newest_verdicts(session, [scope_key], phase).get(scope_key)
    latest = None if row is None else as_verdict(row, judgement, rules, override)
    return Explanation(scope_key, rules, judgement, latest, override, one_cut)


def judge_jobs(session: Session, phase: str, job_ids: Collection[int]) -> Judgement:
    """Judge exactly these takes together, each by itself, and keep nothing: it is no scope's verdict.

    All are of one project, whose thresholds, least number of cuts and pass rate decide. Two takes of one cut
    count as two. Raises :class:`UnknownScopeError` for jobs that are no finished takes of cuts that the phase
    judges, and for takes of several projects.
    """
    wanted = list(dict.fromkeys(job_ids))
    if not wanted:
        raise UnknownScopeError("no takes are given", "give the job ids of finished takes")
    projects = session.execute(
        select(ProjectProfile.project_id, ProjectProfile.slug)
        .distinct()
        .join(CutProfile, CutProfile.project_id == ProjectProfile.project_id)
        .join(Take, Take.cut_id == CutProfile.cut_id)
        .where(Take.job_id.in_(wanted))
    ).all()
    if len(projects) > 1:
        raise UnknownScopeError("the takes are of several projects", "judge each project's by themselves")
    if not projects:
        raise UnknownScopeError(f"no job of {_listed(wanted)} is a take", TAKES)
    project_id, slug = projects[0]
    rules = phase_named(load_phases(session, [project_id])[project_id], phase)
    evidence = load_evidence_of_takes(session, wanted, rules)
    unfinished = set(wanted) - set(evidence)
    if unfinished:
        raise UnknownScopeError(f"no finished take of a cut: job {_listed(unfinished)}", TAKES)
    kinds = " and ".join(sorted(rules.cut_kinds))
    others = [cut.cut_key for cut in evidence.values() if cut.kind not in rules.cut_kinds]
    if others:
        raise UnknownScopeError(
            f"{phase} judges {kinds} cuts, not {', '.join(others)}", "leave those takes out"
        )
    return judge_scope_evidence(list(evidence.values()), rules, slug, whole_scenes=False)


def require_gate(session: Session, scope_key: str, phase: str) -> Verdict:
    """The verdict of a scope whose gate is open, judged now and kept, for whoever builds on it.

    Raises :class:`GateNotPassedError`, which says why and what to do, where it has not passed and nobody has
    overridden it for what is there now.
    """
    verdict = judge_scope(session, scope_key, phase)
    if not verdict.is_open:
        again = f"anime-pipeline gates explain {scope_key} {phase}"
        remedy = next((entry["remedy"] for entry in verdict.missing if entry["remedy"]), again)
        lapsed = standing_overrides(session, [scope_key], phase).get(scope_key)
        told = f" (override {lapsed[0].id} was for cuts that have changed since)" if lapsed else ""
        raise GateNotPassedError(
            f"{scope_key} is {verdict.verdict} in {phase}{told}: {verdict.reason}", remedy
        )
    return verdict


def _look(session: Session, scope_key: str, phase: str) -> tuple[int, Phase, list[CutEvidence]]:
    project_id, rules = _rules(session, scope_key, phase)
    evidence = load_evidence(session, within(scope_key), rules)
    if not evidence:
        _require_known(session, parse_scope(scope_key), project_id)
    return project_id, rules, evidence


def _require_known(session: Session, scope: Scope, project_id: int) -> None:
    """Raise :class:`UnknownScopeError` for what the story does not have; a scope without cuts is known."""
    if isinstance(scope, str):
        return
    query = select(Episode.id).where(
        Episode.project_id == project_id, Episode.episode_number == scope.episode
    )
    if isinstance(scope, SceneKey | CutKey):
        query = query.join(Scene, Scene.episode_id == Episode.id).where(Scene.scene_number == scope.scene)
    if isinstance(scope, CutKey):
        query = query.where(select(CutProfile.cut_id).where(CutProfile.cut_key == str(scope)).exists())
    if session.scalar(query) is None:
        kind = type(scope).__name__.removesuffix("Key").lower()
        raise UnknownScopeError(f"no {kind} is called {scope}", "anime-pipeline status")


def _rules(session: Session, scope_key: str, phase: str) -> tuple[int, Phase]:
    scope = parse_scope(scope_key)
    slug = scope if isinstance(scope, str) else scope.project
    project_id = session.scalar(select(ProjectProfile.project_id).where(ProjectProfile.slug == slug))
    if project_id is None:
        raise UnknownScopeError(f"no project is called {slug}", "anime-pipeline import production.yaml")
    return project_id, phase_named(load_phases(session, [project_id])[project_id], phase)


def _evidence_of_cuts(
    session: Session, cut_keys: Sequence[str], rules: Phase, job_ids: Sequence[int]
) -> list[CutEvidence]:
    # A cut that was omitted while its take was rendered or measured may come back, and its take with it.
    evidence = load_evidence(session, CutProfile.cut_key.in_(cut_keys), rules, job_ids, omitted=True)
    unknown = set(cut_keys) - {cut.cut_key for cut in evidence}
    if unknown:
        raise UnknownScopeError(f"no cut is called {', '.join(sorted(unknown))}", "anime-pipeline status")
    return evidence


def _listed(job_ids: Collection[int]) -> str:
    return ", ".join(str(job_id) for job_id in sorted(job_ids))
