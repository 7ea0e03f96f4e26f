"""What this server is, and how the house is."""

from __future__ import annotations

from pydantic import Field

from anime_pipeline import __version__
from anime_pipeline.web.access import requires
from anime_pipeline.web.health import Health, health_of
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import Model
from anime_pipeline.web.state import Db, SettingsOf

router = api_router("system", prefix="/api")


class Version(Model):
    """The version of this server."""

    version: str = Field(examples=["2.0.0"])


@router.get("/version")
@requires("viewer")
def version() -> Version:
    """The version of this server."""
    return Version(version=__version__)


@router.get("/health")
@requires("viewer")
def health(db: Db, settings: SettingsOf) -> Health:
    """The database, Dagster, the render servers and the queue. Without the database the answer is 503."""
    return health_of(db, settings)
