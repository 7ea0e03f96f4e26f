"""A change that a request makes: checked against If-Match, noted in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from anime_pipeline.database.audit import Actor, record
from anime_pipeline.settings import Settings
from anime_pipeline.web.access import actor_of
from anime_pipeline.web.state import state_of
from anime_pipeline.web.versions import check_unchanged

Shown = TypeVar("Shown", bound=BaseModel)


@dataclass(frozen=True)
class Change:
    """What a route needs to change something; see :data:`ChangeOf`."""

    request: Request
    session: Session
    settings: Settings
    actor: Actor

    def check(self, current: BaseModel | None) -> None:
        """Refuse the change where If-Match names another version than ``current``, read from locked rows.

        None: there is none yet, which no If-Match can name.
        """
        check_unchanged(self.request, self.settings, current)

    def made(self, subject: str, subject_id: object, after: Shown) -> Shown:
        """Note what was made, and return it."""
        record(self.session, self.actor, "create", subject, subject_id, None, _plain(after))
        return after

    def changed(self, subject: str, subject_id: object, before: BaseModel, after: Shown) -> Shown:
        """Note how something was and is, and return how it is."""
        record(self.session, self.actor, "update", subject, subject_id, _plain(before), _plain(after))
        return after

    def removed(self, subject: str, subject_id: object, before: BaseModel) -> None:
        """Note what was there."""
        record(self.session, self.actor, "delete", subject, subject_id, _plain(before), None)

    def done(
        self,
        action: str,
        subject: str,
        subject_id: object,
        after: BaseModel | None = None,
        before: BaseModel | None = None,
    ) -> None:
        """Note another deed, such as ``cancel`` of a job."""
        was, is_ = _plain(before) if before else None, _plain(after) if after else None
        record(self.session, self.actor, action, subject, subject_id, was, is_)


def _plain(model: BaseModel) -> dict[str, object]:
    return model.model_dump(mode="json", by_alias=True)


async def _change(request: Request) -> Change:
    state = state_of(request)
    return Change(request, request.state.session, state.settings, actor_of(request))


ChangeOf = Annotated[Change, Depends(_change)]
"""Parameter of a route that changes something."""
