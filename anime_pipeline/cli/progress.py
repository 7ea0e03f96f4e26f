"""How far a production run is, asked of the database, since that is where finished work is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.cli.console import err
from anime_pipeline.cli.house import House
from anime_pipeline.database.models import Delivery, Job, Measurement, Take
from anime_pipeline.database.session import session_scope

STAGES = ("rendered", "measured", "assembled")


def finished_since(session: Session, started: datetime) -> dict[str, int]:
    """Takes rendered, takes measured and films assembled since ``started`` (the database's clock)."""
    rendered = select(func.count()).select_from(Take).join(Job).where(Job.completed_at >= started)
    measured = select(func.count(func.distinct(Measurement.job_id))).where(Measurement.measured_at >= started)
    assembled = (
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.created_at >= started, Delivery.kind.in_(("reel", "master")))
    )
    counts = (session.scalar(query) or 0 for query in (rendered, measured, assembled))
    return dict(zip(STAGES, counts, strict=True))


@contextmanager
def production_progress(house: House, expected: dict[str, int]) -> Iterator[Callable[[], None]]:
    """A bar per stage with something to do (stage → how many); what it yields brings the bars up to date."""
    with session_scope(house.settings) as session:
        started = session.scalar(select(func.localtimestamp()))
    assert started is not None
    columns = (
        TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    with Progress(*columns, console=err) as progress:
        tasks = {name: progress.add_task(name, total=count) for name, count in expected.items() if count}

        def update() -> None:
            with session_scope(house.settings) as session:
                counts = finished_since(session, started)
            for name, task in tasks.items():
                progress.update(task, completed=min(counts[name], expected[name]))

        yield update
