"""Lists in pages. A cursor names the last row seen, so rows that come or go meanwhile move nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from anime_pipeline.web.problems import unprocessable

Order = Literal["id", "-id", "created_at", "-created_at"]
Item = TypeVar("Item", bound=BaseModel)
_EPOCH = datetime(1970, 1, 1)


class Page(BaseModel):
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None
    order: Order


class Listing(BaseModel, Generic[Item]):
    """A page of a list."""

    model_config = ConfigDict(extra="forbid")

    items: list[Item]
    total: int = Field(description="How many there are with these filters, on all pages.", examples=[1])
    next: str | None = Field(None, description="`cursor` of the next page; null: this is the last.")


async def _page(
    limit: Annotated[int, Query(ge=1, le=500, description="Items on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
    order: Annotated[Order, Query(description="By id or created_at; with a hyphen, backwards.")] = "id",
) -> Page:
    return Page(limit=limit, cursor=cursor, order=order)


PageOf = Annotated[Page, Depends(_page)]
"""Parameters of a route that lists: limit, cursor, order."""


def listed(
    session: Session, query: Select[Any], model: Any, page: Page, show: Callable[[list[Any]], list[Item]]
) -> Listing[Item]:
    """A page of ``query``, which selects ``model`` (a class with ``id`` and ``created_at``) with its filters.

    ``show`` turns the rows of the page into items, all at once, so that it can read what belongs to them
    with one query.
    """
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    backwards, name = page.order.startswith("-"), page.order.removeprefix("-")
    created = func.coalesce(model.created_at, _EPOCH)
    keys: list[ColumnElement[Any]] = [model.id] if name == "id" else [created, model.id]
    if page.cursor is not None:
        query = query.where(_after(keys, _read_cursor(page), backwards))
    query = query.order_by(*(key.desc() if backwards else key for key in keys))
    rows = list(session.scalars(query.limit(page.limit + 1)))
    following = _cursor(page, rows[page.limit - 1]) if len(rows) > page.limit else None
    items = show(rows[: page.limit])
    return Listing[Any](items=items, total=total, next=following)


def _after(keys: list[ColumnElement[Any]], values: list[Any], backwards: bool) -> ColumnElement[bool]:
    """Row-wise comparison, written out so that either order is one expression."""
    conditions = []
    for index, (key, value) in enumerate(zip(keys, values, strict=True)):
        equal = [keys[before] == values[before] for before in range(index)]
        conditions.append(and_(*equal, key < value if backwards else key > value))
    return or_(*conditions)


def _cursor(page: Page, last: Any) -> str:
    values = [page.order, last.id]
    if "created_at" in page.order:
        values.append((last.created_at or _EPOCH).isoformat())
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _read_cursor(page: Page) -> list[Any]:
    text = page.cursor or ""
    try:
        order, row_id, *rest = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if order != page.order or not isinstance(row_id, int) or not 0 <= row_id < 2**63:
            raise ValueError(order)
        if "created_at" not in order:
            return [row_id]
        return [datetime.fromisoformat(rest[0]), row_id]
    except (ValueError, TypeError, IndexError, RecursionError):
        detail = "It is no cursor of this list and order."
        raise unprocessable("/cursor", detail, "Use `next` of the page before.", "query") from None
