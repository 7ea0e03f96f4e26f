"""What a gate judges: each cut's take and its measurements, in four or five queries for any scope.

A project may have ten thousand cuts with a dozen metrics each. So values come as one row a take, and only
what a verdict has to tell of (what failed, what is not measured, what was calibrated) is read in full.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    Text,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, distinct_on
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, CutProfile, Job, Measurement, Take
from anime_pipeline.quality.backends import strangers, with_several_backends

if TYPE_CHECKING:
    from anime_pipeline.quality.phases import Phase, Rule

FINISHED = ("quality_check", "completed")
"""States of a job whose media are recorded."""

FRESH = {"populate_existing": True}
"""Execution option of reads whose rows another session may have changed since this one last saw them."""


@dataclass(frozen=True)
class Unmeasured:
    """Why a metric of a take has no value, and what would mend it."""

    state: str
    reason: str
    remedy: str | None


@dataclass(frozen=True)
class CutEvidence:
    """A cut, the take that stands for it and what was measured of that; without a take, ``job_id`` is None.

    ``values`` are the measured metrics, ``lacking`` those that could not be; ``strangers`` says which values
    are not comparable with those of most takes that were loaded with it, and why. ``details`` are of the
    metrics of which a verdict tells more: their calibration, and of failing ones everything. ``provenance``
    is a hash of where all of it comes from. ``has_animatic``: the finished takes are animatics and were not
    asked for.
    """

    cut_key: str
    kind: str
    has_cast: bool = True
    job_id: int | None = None
    take_number: int | None = None
    recipe_hash: str | None = None
    has_animatic: bool = False
    values: Mapping[str, float] = field(default_factory=dict)
    lacking: Mapping[str, Unmeasured] = field(default_factory=dict)
    strangers: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: str = ""


def within(scope_key: str) -> ColumnElement[bool]:
    """The condition that a cut's profile lies in a scope."""
    return or_(
        CutProfile.cut_key == scope_key, CutProfile.cut_key.startswith(f"{scope_key}.", autoescape=True)
    )


def load_evidence(
    session: Session,
    which: ColumnElement[bool],
    phase: Phase,
    job_ids: Collection[int] = (),
    omitted: bool = False,
) -> list[CutEvidence]:
    """What a phase judges of the active cuts that meet a condition, in story order; with ``omitted`` of all.

    A cut's take is the selected one, else its newest finished one. Takes of the preview server are passed
    over where the phase judges no animatics. A take in ``job_ids`` stands for its cut before all others.
    """
    asked = which if omitted else and_(which, CutProfile.omitted_at.is_(None))
    allowed = _allowed(phase)
    asked_for = _one_of(Take.job_id, job_ids)
    preference = (allowed, asked_for, Take.selected, Take.take_number)
    standing = (
        _finished(Take.cut_id, Take.job_id, Take.take_number, Take.recipe_hash, allowed.label("allowed"))
        .ext(distinct_on(Take.cut_id))
        .where(asked)
        .order_by(Take.cut_id, *(preferred.desc() for preferred in preference))
        .subquery()
    )
    cuts = session.execute(
        select(
            CutProfile.cut_key, CutProfile.kind, _has_cast(),
            standing.c.job_id, standing.c.take_number, standing.c.recipe_hash, standing.c.allowed,
        )
        .join(Cut, Cut.id == CutProfile.cut_id)
        .outerjoin(standing, standing.c.cut_id == CutProfile.cut_id)
        .where(asked)
    ).all()  # fmt: skip
    # Sorted here: a database's collation may pass over dots and hyphens.
    return _evidence(session, sorted(cuts, key=lambda row: str(row.cut_key)), phase)


def load_evidence_of_takes(
    session: Session, job_ids: Collection[int], phase: Phase
) -> dict[int, CutEvidence]:
    """What a phase judges of exactly these takes by job id, in the order of cuts and takes.

    A job that is no finished take of a cut, or renders another take again, is left out.
    """
    rows = session.execute(
        _finished(
            CutProfile.cut_key, CutProfile.kind, _has_cast(),
            Take.job_id, Take.take_number, Take.recipe_hash, _allowed(phase).label("allowed"),
        )
        .join(Cut, Cut.id == CutProfile.cut_id)
        .where(Take.job_id.in_(list(job_ids)))
    ).all()  # fmt: skip
    rows = sorted(rows, key=lambda row: (row.cut_key, row.take_number))
    return dict(zip((row.job_id for row in rows), _evidence(session, rows, phase), strict=True))


def _finished(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(Take)
        .join(Job, Job.id == Take.job_id)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .where(Job.status.in_(FINISHED), Take.reproduces_job_id.is_(None))
    )


def _has_cast() -> ColumnElement[bool]:
    return func.coalesce(func.cardinality(Cut.character_ids), 0) > 0


def _allowed(phase: Phase) -> ColumnElement[bool]:
    return (
        Take.job_id.is_not(None) if phase.judges_animatics else Take.server_kind.is_distinct_from("preview")
    )


def _evidence(session: Session, cuts: Sequence[Row[Any]], phase: Phase) -> list[CutEvidence]:
    job_ids = [row.job_id for row in cuts if row.allowed]
    measured = _measured(session, job_ids, phase.rules)
    lacking, details = _told(session, job_ids, phase.rules)
    other_backends = strangers(session, _of_takes(job_ids, with_several_backends(phase.rules)))
    nothing: tuple[dict[str, float], str] = ({}, "")
    evidence = []
    for row in cuts:
        key, kind, has_cast, job_id, number, recipe_hash, allowed = tuple(row)
        if not allowed:
            evidence.append(CutEvidence(key, kind, has_cast, has_animatic=job_id is not None))
            continue
        values, provenance = measured.get(job_id, nothing)
        evidence.append(
            CutEvidence(
                key, kind, has_cast, job_id, number, recipe_hash, False,
                values, lacking.get(job_id, {}), other_backends.get(job_id, {}), details.get(job_id, {}),
                provenance,
            )
        )  # fmt: skip
    return evidence


def _of_takes(job_ids: list[int], rules: Sequence[Rule]) -> ColumnElement[bool]:
    metrics = [rule.metric for rule in rules]
    return and_(_one_of(Measurement.job_id, job_ids), Measurement.metric_name.in_(metrics))


def _one_of(column: Any, job_ids: Collection[int]) -> ColumnElement[bool]:
    """``column = ANY (array)``: one parameter for ten thousand ids, where IN would take as many."""
    return cast(ColumnElement[bool], column == any_(literal(list(job_ids), ARRAY(Integer))))


def _measured(
    session: Session, job_ids: list[int], rules: Sequence[Rule]
) -> dict[int, tuple[dict[str, float], str]]:
    """The values and the provenance of each take that has any of the metrics; its index alone is read."""
    name, provenance = Measurement.metric_name, sql_cast(Measurement.provenance, Text)
    query = (
        select(
            Measurement.job_id,
            func.array_agg(aggregate_order_by(name, name)),
            func.array_agg(aggregate_order_by(Measurement.value, name)),
            func.md5(func.string_agg(provenance, aggregate_order_by(literal(""), name))),
        )
        .where(_of_takes(job_ids, rules))
        .group_by(Measurement.job_id)
    )
    return {
        job_id: (
            {metric: value for metric, value in zip(metrics, values, strict=True) if value is not None},
            told,
        )
        for job_id, metrics, values, told in session.execute(query)
    }


def _told(
    session: Session, job_ids: list[int], rules: Sequence[Rule]
) -> tuple[dict[int, dict[str, Unmeasured]], dict[int, dict[str, Any]]]:
    """What is told of takes beyond their values: what they lack, and details; each equal thing read once."""
    calibration = Measurement.details["calibration"]
    told = case(
        (_fails(rules), Measurement.details),
        (calibration.is_not(None), func.jsonb_build_object("calibration", calibration)),
    )
    query = (
        select(
            Measurement.metric_name, Measurement.state, Measurement.reason, Measurement.remedy, told,
            func.array_agg(Measurement.job_id),
        )
        .where(
            _of_takes(job_ids, rules),
            or_(Measurement.value.is_(None), _fails(rules), calibration.is_not(None)),
        )
        .group_by(Measurement.metric_name, Measurement.state, Measurement.reason, Measurement.remedy, told)
    )  # fmt: skip
    lacking: dict[int, dict[str, Unmeasured]] = {}
    details: dict[int, dict[str, Any]] = {}
    for metric, state, reason, remedy, shown, jobs in session.execute(query):
        for job_id in jobs:
            if state == "measured":
                details.setdefault(job_id, {})[metric] = shown
            else:
                lacking.setdefault(job_id, {})[metric] = Unmeasured(state, reason, remedy)
    return lacking, details


def _fails(rules: Sequence[Rule]) -> ColumnElement[bool]:
    """Which measurements are read in full: it saves reading and decides nothing, which judging does."""
    over = [
        Measurement.value < rule.threshold
        if rule.comparison == "at_least"
        else Measurement.value > rule.threshold
        for rule in rules
        if rule.threshold is not None
    ]
    names = [rule.metric for rule in rules if rule.threshold is not None]
    failing = (and_(Measurement.metric_name == name, limit) for name, limit in zip(names, over, strict=True))
    return or_(false(), *failing)
