"""Every router of the API, in the order of the document."""

from anime_pipeline.web.routes import (
    characters,
    echo,
    events,
    jobs,
    likeness,
    media,
    projects,
    story_bibles,
    structure,
    system,
    traits,
    uploads,
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
    media.router,
    uploads.router,
    events.router,
    echo.router,
)
