"""Every router of the API, in the order of the document."""

from anime_pipeline.web.routes import (
    characters,
    echo,
    events,
    gates,
    jobs,
    likeness,
    media,
    projects,
    quality,
    story_bibles,
    structure,
    system,
    takes,
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
    quality.router,
    gates.router,
    takes.router,
    media.router,
    uploads.router,
    events.router,
    echo.router,
)
