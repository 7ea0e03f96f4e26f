"""``anime-pipeline db``: the database of this home."""

from __future__ import annotations

import typer

from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json
from anime_pipeline.cli.house import open_house
from anime_pipeline.database import migrations, server
from anime_pipeline.settings import get_settings

app = typer.Typer(help="Start, stop and look at the database.", no_args_is_help=True)


@app.command()
def start() -> None:
    """Start the embedded database, migrate it, and leave it running."""
    house = open_house()
    server.keep_running(house.settings)
    out.print(f"The database runs at {server.database_url(house.settings)}", soft_wrap=True)


@app.command()
def stop() -> None:
    """Stop the embedded database of this home."""
    server.stop_server(get_settings())
    out.print("The embedded database is stopped.")


@app.command()
def url() -> None:
    """Print the SQLAlchemy URL of the domain database, starting it if need be."""
    house = open_house()
    server.keep_running(house.settings)
    print(server.database_url(house.settings))


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Say which migrations are applied and which are to come."""
    settings = get_settings()
    server.ensure_server(settings)
    state = migrations.status(settings)
    facts = {"current": state.current, "head": state.head, "pending": list(state.pending)}
    print_json(facts) if as_json else print_facts(facts)
