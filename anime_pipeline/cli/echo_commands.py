"""``anime-pipeline echo``: the supervisor, what it is told and told us; and a supervisor to try it with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.models import InboxMessage
from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain import heartbeat, inbox, outbox
from anime_pipeline.echo_brain.configuration import checked_secret, supervisor_link
from anime_pipeline.echo_brain.delivery import deliver as deliver_events
from anime_pipeline.echo_brain.identity import own_row
from anime_pipeline.echo_brain.status import worker_status
from anime_pipeline.errors import UserError
from anime_pipeline.review.forecast import counted
from anime_pipeline.settings import get_settings

app = typer.Typer(no_args_is_help=True)
outbox_app = typer.Typer(help="Events for the supervisor.", no_args_is_help=True)
inbox_app = typer.Typer(help="Messages of the supervisor.", no_args_is_help=True)
app.add_typer(outbox_app, name="outbox")
app.add_typer(inbox_app, name="inbox")
Limit = Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=10_000)]


@app.command()
def status(as_json: JsonOption = False) -> None:
    """How this worker is, as it would be told now, and how it gets on with its supervisor."""
    house = open_house()
    link = supervisor_link(house.settings)
    with session_scope(house.settings) as session:
        row = own_row(session)
        events = outbox.count_events(session)
    with session_scope(house.settings) as session:
        now = worker_status(session, house.settings)
    told: dict[str, Any] = {
        "worker_id": row.worker_id,
        "supervisor": link.url if link else None,
        "registered_at": row.registered_at,
        "heartbeat_at": row.heartbeat_at,
        "unregistered": not row.wanted,
        "trouble": row.last_error or row.outage_error,
        "outbox": events,
        **asdict(now),
    }
    if as_json:
        print_json(told)
        return
    print_facts(told)
    if link is None:
        out.print("No supervisor is configured: set ANIME_ECHO_BRAIN_URL to work for one.")


@app.command()
def register(as_json: JsonOption = False) -> None:
    """Register with the supervisor now, also after an unregister."""
    _print_beat(heartbeat.register(open_house().settings), as_json)


@app.command()
def unregister(as_json: JsonOption = False) -> None:
    """Leave the supervisor until `echo register`; events that wait are kept."""
    heartbeat.unregister(open_house().settings)
    print_json({"state": "unregistered"}) if as_json else out.print("unregistered")


@outbox_app.command("list")
def list_outbox(
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"One of {', '.join(outbox.STATES)}; repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Delivered ones too.")] = False,
    limit: Limit = 100,
    as_json: JsonOption = False,
) -> None:
    """Events that wait or are dead, with why."""
    wanted = [known for known in outbox.STATES if known in (state or ("waiting", "dead"))]
    _check_states(state, outbox.STATES, "event")
    house = open_house()
    with session_scope(house.settings) as session:
        events = outbox.list_events(session, outbox.STATES if everything else wanted, limit)
    if as_json:
        print_json([_event_as_json(event) for event in events])
        return
    rows = [
        (str(e.event_id), e.event_type, e.job_id, e.task_id, e.state, e.attempts,
         f"held by {e.held_by}" if e.held_by else e.last_error)
        for e in events
    ]  # fmt: skip
    print_table("Outbox", ("event", "type", "job", "task", "state", "attempts", "why"), rows)


Target = Annotated[str, typer.Argument(help="An event's id, a job's number, or the word dead.")]


@outbox_app.command()
def replay(target: Target, as_json: JsonOption = False) -> None:
    """Have events delivered (again): one, those of a job that are not delivered, or all dead ones."""
    house = open_house()
    with session_scope(house.settings) as session:
        count = outbox.replay(session, target)
    print_json({"replayed": count}) if as_json else out.print(
        f"To be delivered again: {counted(count, 'event')}"
    )


@outbox_app.command()
def drop(target: Target, as_json: JsonOption = False) -> None:
    """Delete dead events, so that what comes after them in their jobs is delivered."""
    house = open_house()
    with session_scope(house.settings) as session:
        count = outbox.drop(session, target)
    print_json({"dropped": count}) if as_json else out.print(f"Deleted: {counted(count, 'dead event')}")


@outbox_app.command()
def deliver(
    seconds: Annotated[float, typer.Option(help="Stop after so long.", min=0)] = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Deliver now what waits; exit status 1 where the supervisor took not all of it."""
    done = deliver_events(open_house().settings, seconds, wait=False)
    told = asdict(done)
    if as_json:
        print_json(told)
    else:
        print_facts({name: value for name, value in told.items() if value != ""})
    if done.left or done.died:
        raise typer.Exit(1)


@inbox_app.command("list")
def list_inbox(
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"One of {', '.join(inbox.STATES)}; repeatable.")
    ] = None,
    limit: Limit = 100,
    as_json: JsonOption = False,
) -> None:
    """Messages of the supervisor and what came of them."""
    _check_states(state, inbox.STATES, "message")
    house = open_house()
    with session_scope(house.settings) as session:
        messages = inbox.list_messages(session, state or inbox.STATES, limit)
    if as_json:
        print_json([_message_as_json(message) for message in messages])
        return
    rows = [(m.received_at, m.event_id, m.event_type, m.state, m.receipts, m.reason) for m in messages]
    print_table("Inbox", ("received (UTC)", "message", "type", "state", "receipts", "why"), rows)


@inbox_app.command()
def retry(
    event_id: Annotated[str, typer.Argument(help="The id of a message.")], as_json: JsonOption = False
) -> None:
    """Follow a message anew that was refused, unknown or failed; exit status 1 where it is not applied."""
    house = open_house()
    with session_scope(house.settings) as session:
        receipt = inbox.retry(session, house.settings, event_id)
    if as_json:
        print_json(asdict(receipt))
    else:
        print_facts({"state": receipt.state, "why": receipt.reason, "outcome": receipt.outcome})
    if receipt.state != "applied":
        raise typer.Exit(1)


@inbox_app.command("drop")
def drop_message(
    event_id: Annotated[str, typer.Argument(help="The id of a message.")], as_json: JsonOption = False
) -> None:
    """Delete a message that was refused, unknown or failed, and that nobody will follow."""
    house = open_house()
    with session_scope(house.settings) as session:
        inbox.drop(session, event_id)
    print_json({"dropped": event_id}) if as_json else out.print(f"{event_id} is deleted")


def echo_supervisor(
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8309,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    home: Annotated[
        Path | None, typer.Option(help="Folder of what it knows; unset: `supervisor` in ANIME_HOME.")
    ] = None,
    forget_after: Annotated[
        float, typer.Option(help="Seconds without a heartbeat after which a worker is forgotten.", min=1)
    ] = 90.0,
    allow_misbehaviour: Annotated[
        bool, typer.Option("--allow-misbehaviour", help="Let programs on this machine have it go wrong.")
    ] = False,
) -> None:
    """Run the reference supervisor: a small server of the worker protocol, for trials and tests."""
    from anime_pipeline.echo_brain.supervisor.server import serve

    settings = get_settings()
    folder = (home or settings.home / "supervisor").expanduser().absolute()
    serve(folder, checked_secret(settings), host, port, forget_after, allow_misbehaviour, out.print)


def _print_beat(done: heartbeat.Beat, as_json: bool) -> None:
    if as_json:
        print_json({"done": done.done, "said": done.said, "status": done.status and asdict(done.status)})
        return
    out.print(done.said, soft_wrap=True)


def _check_states(given: list[str] | None, known: tuple[str, ...], what: str) -> None:
    unknown = sorted(set(given or ()) - set(known))
    if unknown:
        raise UserError(f"No {what} is {unknown[0]}.", f"one of {', '.join(known)}")


def _event_as_json(event: outbox.Event) -> dict[str, Any]:
    held_by = str(event.held_by) if event.held_by else None
    return {**asdict(event), "event_id": str(event.event_id), "held_by": held_by}


def _message_as_json(message: InboxMessage) -> dict[str, Any]:
    names = [column.name for column in InboxMessage.__table__.columns if column.name != "signatures"]
    return {name: getattr(message, name) for name in names}
