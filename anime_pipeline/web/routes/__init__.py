"""Every router of the API, in the order of the document."""

from anime_pipeline.web.routes import (
    characters,
    events,
    jobs,
    likeness,
    projects,
    story_bibles,
    system,
    traits,
)

ROUTERS = (
    system.router,
    projects.router,
    story_bibles.router,
    traits.router,
    likeness.router,
    characters.router,
    jobs.router,
    events.router,
)
