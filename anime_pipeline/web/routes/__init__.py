"""Every router of the API, in the order of the document."""

from anime_pipeline.web.routes import system

ROUTERS = (system.router,)
