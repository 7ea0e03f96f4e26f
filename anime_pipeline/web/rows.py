"""Rows by their id, or 404."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Base
from anime_pipeline.web.problems import not_found

Row = TypeVar("Row", bound=Base)


def found(session: Session, model: type[Row], row_id: int, what: str, *, lock: bool = False) -> Row:
    """The row; with ``lock`` it stays as it is until the transaction ends. Raises a problem: 404."""
    row = session.get(model, row_id, with_for_update=lock or None, populate_existing=lock)
    if row is None:
        raise not_found(what, row_id)
    return row


def of_parent(session: Session, model: type[Row], row_id: int, parent: Any, parent_id: int, what: str) -> Row:
    """The row, locked, where its column ``parent`` has ``parent_id``. Raises a problem: 404."""
    table: Any = model
    query = select(table).where(table.id == row_id, parent == parent_id).with_for_update()
    row: Row | None = session.scalars(query).first()
    if row is None:
        raise not_found(what, row_id)
    return row
