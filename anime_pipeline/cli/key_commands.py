"""``anime-pipeline keys``: who may use the API."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.api_keys import ROLES, all_keys, create_key, revoke_key
from anime_pipeline.database.models import ApiKey
from anime_pipeline.database.session import session_scope

app = typer.Typer(no_args_is_help=True)
_FACTS = ("id", "name", "role", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what uses it, such as review-room.")],
    role: Annotated[
        str, typer.Option(help=f"One of {', '.join(ROLES)}; each may do what those before it may.")
    ],
    expires: Annotated[
        int | None, typer.Option(help="Days until it expires; unset: never.", min=1, max=3650)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once: only its hash is kept."""
    house = open_house()
    with session_scope(house.settings) as session:
        key, secret = create_key(session, name, role, expires)
        facts = {**_facts(key), "key": secret}
    if as_json:
        print_json(facts)
        return
    print_facts({"key": secret, "name": name, "role": role, "expires": key.expires_at or "never"})
    out.print("Keep it now: it is not shown again. Send it as: Authorization: Bearer <key>")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Every key, with when it was last used (to the minute)."""
    house = open_house()
    with session_scope(house.settings) as session:
        keys = [{**_facts(key), "state": _state(key)} for key in all_keys(session)]
    if as_json:
        print_json(keys)
        return
    columns = ("id", "name", "role", "prefix", "state", "expires_at", "last_used_at")
    print_table("API keys", columns, [tuple(key[column] for column in columns) for key in keys])


@app.command()
def revoke(
    key_id: Annotated[
        int, typer.Argument(metavar="ID", help="As `keys list` shows it.", min=1, max=2**31 - 1)
    ],
    as_json: JsonOption = False,
) -> None:
    """Revoke a key for good, at once."""
    house = open_house()
    with session_scope(house.settings) as session:
        facts = _facts(revoke_key(session, key_id))
    print_json(facts) if as_json else out.print(f"revoked {facts['name']}")


def _facts(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in _FACTS}


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    expired = key.expires_at is not None and key.expires_at <= datetime.now(timezone.utc)
    return "expired" if expired else "valid"
