"""What a command is about: a scope, and its cuts."""

from __future__ import annotations

from typing import Annotated

import typer

from anime_pipeline.cli.house import House
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.story.keys import CutKey, SceneKey, parse_scope
from anime_pipeline.story.listing import active_cut_keys, active_episode_keys, active_scene_keys

Scope = Annotated[
    str | None, typer.Argument(help="A project, episode, scene or cut key; without it, everything.")
]


def cuts_of(house: House, scope: str | None) -> list[str]:
    """The active cut keys of a scope.

    Raises:
        UserError: the scope has no active cut.
    """
    with session_scope(house.settings) as session:
        keys = active_cut_keys(session, scope)
    if not keys:
        raise UserError(
            f"There is no active cut in {scope}." if scope else "There is no cut yet.",
            "anime-pipeline status lists the cuts" if scope else "anime-pipeline import FILE",
        )
    return keys


def films_of(house: House, scope: str | None) -> tuple[list[str], list[str]]:
    """The scenes whose reels and the episodes whose masters a scope holds; a scene has its reel alone.

    Raises:
        UserError: the scope has no active cut, or is one.
    """
    cuts_of(house, scope)
    named = parse_scope(scope) if scope else None
    if isinstance(named, CutKey):
        raise UserError(
            f"{named} is a cut; films are made of scenes and episodes.",
            f"anime-pipeline deliver {named.scene_key}",
        )
    with session_scope(house.settings) as session:
        scenes = active_scene_keys(session, scope)
        return scenes, [] if isinstance(named, SceneKey) else active_episode_keys(session, scope)
