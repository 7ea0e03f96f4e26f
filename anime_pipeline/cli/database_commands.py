"""``anime-pipeline db``: the database of this home."""

from __future__ import annotations

import typer

from anime_pipeline.cli import adoption_commands, stray_commands
from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json
from anime_pipeline.cli.house import open_house
from anime_pipeline.database import migrations, server
from anime_pipeline.database.adoption.connections import Which, domain_url
from anime_pipeline.database.adoption.manifest import list_backups
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings, get_settings

app = typer.Typer(no_args_is_help=True)


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
    """Say which migrations are applied and which are to come, and which backups there are."""
    settings = get_settings()
    domain_url(settings)  # unlike `ensure_server` it makes nothing
    state = migrations.status(settings)
    with engine_for(settings).connect() as connection:
        earlier = migrations.earlier_tables(connection)
    facts = {
        "current": state.current,
        "head": state.head,
        "pending": list(state.pending),
        "tables awaiting migration": earlier,
        "backups": _backups(settings, "studio"),
        "backups of Dagster's database": _backups(settings, "dagster"),
    }
    print_json(facts) if as_json else print_facts(facts)


def _backups(settings: Settings, which: Which) -> list[str]:
    return [f"{backup.name} ({backup.manifest.purpose})" for backup in list_backups(settings, which)]


adoption_commands.register(app)
stray_commands.register(app)
