"""Every router of the API, in the order of the document."""

from anime_pipeline.web.routes import (
    characters,
    events,
    jobs,
    likeness,
    projects,
    story_bibles,
    structure,
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
    structure.router,
    jobs.router,
    events.router,
)
