"""Stored verdicts: kept as judged, never changed, and known to be stale once what they judged has changed.

Nothing here commits; the caller's transaction does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import GateVerdict
from anime_pipeline.quality.changes import Change, changes_between, thresholds_of
from anime_pipeline.quality.judging import Judgement, Ruling
from anime_pipeline.quality.override_log import Override, standing_overrides
from anime_pipeline.quality.phases import Phase
from anime_pipeline.story.keys import EpisodeKey, SceneKey, parse_scope

Scope = Literal["cut", "scene", "episode", "project"]
GateState = Literal["passed", "failed", "incomplete", "overridden"]


@dataclass(frozen=True)
class Verdict:
    """A stored judgement. ``stale`` says that what it judged has changed since: it speaks for nothing.

    ``changes`` say what has changed where it is stale. ``override`` is the one that opens the gate as things
    are now, where the scope has not passed. ``failing`` and ``missing`` are as
    :class:`~anime_pipeline.quality.judging.Failing` and :class:`~anime_pipeline.quality.judging.Missing`, as
    plain JSON. ``job_id`` is the judged take of a cut.
    """

    id: int
    scope: Scope
    scope_key: str
    phase: str
    verdict: Ruling
    reason: str
    cuts_total: int
    cuts_passed: int
    cuts_failed: int
    cuts_unmeasured: int
    pass_rate: float | None
    wilson_low: float | None
    wilson_high: float | None
    thresholds: dict[str, Any]
    failing: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    judged_sha256: str
    job_id: int | None
    created_at: datetime
    stale: bool = False
    changes: tuple[Change, ...] = ()
    override: Override | None = None

    @property
    def passed(self) -> bool:
        """Whether the scope has passed, and the verdict is still about what is there."""
        return self.verdict == "passed" and not self.stale

    @property
    def is_open(self) -> bool:
        """Whether may be built on it: passed, or overridden."""
        return self.passed or self.override is not None

    @property
    def state(self) -> GateState:
        """What the verdict says, unless a person has overridden it."""
        return self.verdict if self.override is None else "overridden"

    @property
    def said(self) -> str:
        """The reason, and who overrode it."""
        return (
            self.reason if self.override is None else f"{self.override.said} ({self.verdict}: {self.reason})"
        )


_STORED = [
    field.name for field in dataclasses.fields(Verdict) if field.name not in ("stale", "changes", "override")
]


def overrides_of(verdicts: Iterable[Verdict]) -> list[Override]:
    """The overrides that open these gates."""
    return [verdict.override for verdict in verdicts if verdict.override is not None]


def newest_verdicts(session: Session, scope_keys: Sequence[str], phase: str) -> dict[str, GateVerdict]:
    """The newest stored verdict of each scope that has one."""
    newest = (
        select(func.max(GateVerdict.id))
        .where(GateVerdict.scope_key.in_(scope_keys), GateVerdict.phase == phase)
        .group_by(GateVerdict.scope_key)
    )
    rows = session.scalars(select(GateVerdict).where(GateVerdict.id.in_(newest)))
    return {row.scope_key: row for row in rows}


def keep_verdicts(
    session: Session, project_id: int, rules: Phase, judged: Sequence[tuple[str, int | None, Judgement]]
) -> dict[str, Verdict]:
    """Verdicts of judgements: the stored one where it judged the same, else a new row."""
    keys = [key for key, _, _ in judged]
    rows = newest_verdicts(session, keys, rules.name)
    fresh = []
    for key, job_id, judgement in judged:
        if key not in rows or rows[key].judged_sha256 != judgement.judged_sha256:
            rows[key] = _row(project_id, rules, key, job_id, judgement)
            fresh.append(rows[key])
    session.add_all(fresh)
    session.flush()
    overrides = standing_overrides(session, keys, rules.name)
    return {
        key: as_verdict(rows[key], judgement, rules, in_force(overrides.get(key, ()), judgement))
        for key, _, judgement in judged
    }


def in_force(overrides: Sequence[Override], judgement: Judgement) -> Override | None:
    """The newest override that opens the gate as it stands; none is needed where it has passed."""
    if judgement.verdict == "passed":
        return None
    return next((one for one in overrides if one.holds_for(judgement.judged_sha256)), None)


def _row(project_id: int, rules: Phase, key: str, job_id: int | None, judgement: Judgement) -> GateVerdict:
    low, high = judgement.wilson or (None, None)
    return GateVerdict(
        project_id=project_id,
        scope=_scope(key),
        scope_key=key,
        job_id=job_id,
        phase=rules.name,
        verdict=judgement.verdict,
        cuts_total=len(judgement.cuts),
        cuts_passed=judgement.count("passed"),
        cuts_failed=judgement.count("failed"),
        cuts_unmeasured=judgement.count("unmeasured"),
        pass_rate=judgement.pass_rate,
        wilson_low=low,
        wilson_high=high,
        thresholds=_thresholds(rules, judgement),
        failing=[dataclasses.asdict(failing) for failing in judgement.failing],
        missing=[dataclasses.asdict(missing) for missing in judgement.missing],
        reason=judgement.reason,
        judged_sha256=judgement.judged_sha256,
        judged_cuts=dict(judgement.judged_cuts),
    )


def _thresholds(rules: Phase, judgement: Judgement) -> dict[str, Any]:
    calibrations = [dataclasses.asdict(used) for used in judgement.calibrations]
    return {**thresholds_of(rules), "calibrations": calibrations}


def _scope(key: str) -> Scope:
    parsed = parse_scope(key)
    if isinstance(parsed, str):
        return "project"
    return "episode" if isinstance(parsed, EpisodeKey) else "scene" if isinstance(parsed, SceneKey) else "cut"


def as_verdict(row: GateVerdict, now: Judgement, rules: Phase, override: Override | None = None) -> Verdict:
    """A stored verdict beside what its scope comes to now."""
    stale = row.judged_sha256 != now.judged_sha256
    changes = changes_between(row.judged_cuts, row.thresholds, now.judged_cuts, rules) if stale else ()
    return Verdict(
        **{name: getattr(row, name) for name in _STORED}, stale=stale, changes=changes, override=override
    )
