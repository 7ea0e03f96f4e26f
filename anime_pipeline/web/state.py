"""What one API process holds: settings, connections, the rate limits; and the session of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from anime_pipeline.settings import Settings
from anime_pipeline.web.event_hub import EventHub
from anime_pipeline.web.rate_limit import RateLimit


@dataclass(frozen=True)
class ApiState:
    """One per application, at ``app.state.api``."""

    settings: Settings
    engine: Engine
    rate: RateLimit
    events: EventHub


def state_of(connection: HTTPConnection) -> ApiState:
    """The state of the application that serves ``connection``."""
    state: ApiState = connection.app.state.api
    return state


async def _settings(connection: HTTPConnection) -> Settings:
    return state_of(connection).settings


async def _session(request: Request) -> Session:
    session: Session = request.state.session
    return session


async def _request(request: Request) -> Request:
    return request


RequestOf = Annotated[Request, Depends(_request)]
"""Parameter of a route: the request. FastAPI gives a plain ``Request`` once, and the transaction has it."""

SettingsOf = Annotated[Settings, Depends(_settings)]
"""Parameter of a route: the settings."""

Db = Annotated[Session, Depends(_session)]
"""Parameter of a route: the request's session. It connects when it is first used and is committed for you."""
