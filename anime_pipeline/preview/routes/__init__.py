"""The HTTP routes; the server adds each a second time under /api."""

from __future__ import annotations

from anime_pipeline.preview.routes.files import file_routes
from anime_pipeline.preview.routes.info import info_routes
from anime_pipeline.preview.routes.prompts import prompt_routes

__all__ = ["file_routes", "info_routes", "prompt_routes"]
