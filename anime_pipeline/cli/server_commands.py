"""``anime-pipeline servers``: the fleet as it is, and what a person wants of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.fleet_admin import (
    ServerReport,
    add_server,
    checked_url,
    remove_server,
    reports,
)
from anime_pipeline.rendering.registry import ServerState, set_state

app = typer.Typer(no_args_is_help=True)
Url = Annotated[str, typer.Argument(help="The server, such as http://gpu-1:8188.")]
_GIB = 2**30


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Each server: health, state, version, devices, free VRAM, what it can do, what is in flight there."""
    house = open_house()
    with session_scope(house.settings) as session:
        found = reports(session, house.settings)
    if as_json:
        print_json([asdict(server) for server in found])
        return
    if not found:
        out.print("No servers: the embedded preview server draws animatics.")
        out.print("To add one: anime-pipeline servers add http://host:8188")
        return
    columns = ("server", "state", "health", "version", "device", "free VRAM", "nodes", "models", "in flight")
    print_table("Servers", columns, [_row(server) for server in found])
    for server in found:
        if said := server.problem or server.last_error:
            out.print(f"{server.url}: {said}", soft_wrap=True)


@app.command()
def add(
    url: Url,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Prompts kept on it; unset: ANIME_PROMPTS_IN_FLIGHT.", min=1, max=8),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a server to the fleet of every worker on this database."""
    house = open_house()
    with session_scope(house.settings) as session:
        facts = add_server(session, url, concurrency)
    if as_json:
        print_json({"url": checked_url(url), **asdict(facts)})
        return
    out.print(f"{checked_url(url)}: {facts.kind} {facts.version}, {len(facts.node_classes)} node classes")


@app.command()
def drain(url: Url, as_json: JsonOption = False) -> None:
    """Give it no more takes; what it has is finished, and then it is paused."""
    _set(url, "draining", as_json)


@app.command()
def pause(url: Url, as_json: JsonOption = False) -> None:
    """Give it no more takes, and take its prompts off it within seconds."""
    _set(url, "paused", as_json)


@app.command()
def resume(url: Url, as_json: JsonOption = False) -> None:
    """Give it takes again; failures that blocked it are forgotten."""
    _set(url, "active", as_json)


@app.command()
def remove(url: Url, as_json: JsonOption = False) -> None:
    """Take it out of the fleet."""
    house = open_house()
    with session_scope(house.settings) as session:
        remove_server(session, house.settings, url)
    print_json({"url": checked_url(url), "state": "removed"}) if as_json else out.print("removed")


def _set(url: str, state: ServerState, as_json: bool) -> None:
    house = open_house()
    with session_scope(house.settings) as session:
        set_state(session, checked_url(url), state)
    print_json({"url": checked_url(url), "state": state}) if as_json else out.print(state)


def _row(server: ServerReport) -> tuple[object, ...]:
    devices = ", ".join(str(device.get("name")) for device in server.devices)
    free = f"{server.vram_free / _GIB:.1f} GiB" if server.vram_free else None
    state = f"{server.state}, suspect" if server.suspect else server.state
    health = "answers" if server.healthy else "silent"
    return (
        server.url, state, health, server.version, devices, free, server.node_classes,
        sum(map(len, server.models.values())), f"{server.in_flight} of {server.concurrency}",
    )  # fmt: skip
