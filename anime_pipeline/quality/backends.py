"""A gate mixes no backends: numbers of two ways to measure one metric are not comparable."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, func, select, tuple_
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Measurement
from anime_pipeline.quality.engines.registry import metrics

if TYPE_CHECKING:
    from anime_pipeline.quality.phases import Rule

_SEVERAL = frozenset(metric.name for metric in metrics() if len(metric.backends) > 1)


def with_several_backends(rules: tuple[Rule, ...]) -> list[Rule]:
    """The rules that decide by a metric that can be measured in more ways than one."""
    return [rule for rule in rules if rule.decides and rule.metric in _SEVERAL]


def strangers(session: Session, among: ColumnElement[bool]) -> dict[int, dict[str, str]]:
    """Take and metric → why its value is not comparable: most takes were measured by another backend.

    ``among`` is the condition that measurements are of the takes and metrics that are looked at. One query,
    by index alone but for a row of each backend; a second one where backends are mixed.
    """
    alike = (
        select(
            Measurement.metric_name,
            Measurement.provenance,
            func.min(Measurement.job_id).label("one"),
            func.count().label("takes"),
        )
        .where(among, Measurement.value.is_not(None))
        .group_by(Measurement.metric_name, Measurement.provenance)
        .subquery()
    )
    one_of_them = and_(Measurement.job_id == alike.c.one, Measurement.metric_name == alike.c.metric_name)
    made = session.execute(
        select(alike.c.metric_name, alike.c.provenance, alike.c.takes, Measurement.backend).join(
            Measurement, one_of_them
        )
    ).all()
    takes: dict[str, Counter[str]] = {}
    for metric, _, count, backend in made:
        takes.setdefault(metric, Counter())[backend] += count
    usual = {
        metric: min(counted, key=lambda name: (-counted[name], name)) for metric, counted in takes.items()
    }
    other = {
        (metric, provenance): f"measured by {backend}, most here by {usual[metric]}"
        for metric, provenance, _, backend in made
        if backend != usual[metric]
    }
    if not other:
        return {}
    found: dict[int, dict[str, str]] = {}
    key = tuple_(Measurement.metric_name, Measurement.provenance)
    query = select(Measurement.job_id, Measurement.metric_name, Measurement.provenance)
    for job_id, metric, provenance in session.execute(query.where(among, key.in_(list(other)))):
        found.setdefault(job_id, {})[metric] = other[metric, provenance]
    return found
