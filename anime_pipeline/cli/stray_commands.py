"""``anime-pipeline db strays`` and ``remove-stray``: databases outside homes whose home is gone."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_json, print_table
from anime_pipeline.database.strays import OutsideCluster, find_stray, outside_clusters, remove_stray
from anime_pipeline.errors import UserError


def register(app: typer.Typer) -> None:
    """Add these commands to ``anime-pipeline db``."""
    app.command("strays")(list_strays)
    app.command("remove-stray")(remove)


def list_strays(as_json: JsonOption = False) -> None:
    """List embedded databases that lie outside their homes, and which of them are strays; removes nothing."""
    _say_that_it_takes_a_while()
    found = outside_clusters()
    if as_json:
        print_json([_facts(one) for one in found])
        return
    rows = [
        (one.name, str(one.home or "unknown"), _megabytes(one), f"{one.last_written:%Y-%m-%d %H:%M}",
         f"stays: {one.kept}" if one.kept else "stray")
        for one in found
    ]  # fmt: skip
    print_table("Databases outside homes", ("name", "home", "size", "last written (UTC)", ""), rows)
    strays = [one for one in found if one.kept is None]
    if strays:
        out.print(f"To remove one: anime-pipeline db remove-stray {strays[0].name}", soft_wrap=True)


def remove(
    name: Annotated[str, typer.Argument(help="A stray's name: `anime-pipeline db strays` lists them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; nothing brings it back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove an embedded database whose home is gone; without --yes it only says what would go."""
    _say_that_it_takes_a_while()
    if not yes:
        stray = find_stray(name)
        whose = f"of {stray.home}, which is gone" if stray.home else "of a first start that was killed"
        raise UserError(
            f"{name} is the database {whose}: {_megabytes(stray)}, last written "
            f"{stray.last_written:%Y-%m-%d %H:%M} UTC. No copy of it is kept.",
            f"Run `anime-pipeline db remove-stray {name} --yes` to remove it.",
        )
    removed = remove_stray(name)
    print_json(_facts(removed)) if as_json else out.print(
        f"{name} is removed: {_megabytes(removed)} are free."
    )


def _say_that_it_takes_a_while() -> None:
    err.print("looking for homes on all that is mounted …", style="dim", soft_wrap=True)


def _facts(cluster: OutsideCluster) -> dict[str, Any]:
    return {
        "name": cluster.name,
        "home": cluster.home,
        "folder": cluster.place,
        "bytes": cluster.bytes,
        "last_written": cluster.last_written,
        "stray": cluster.kept is None,
        "kept": cluster.kept,
    }


def _megabytes(cluster: OutsideCluster) -> str:
    return f"{cluster.bytes / 1_000_000:,.1f} MB"
