"""``anime-pipeline queue``: which takes wait, why one failed, and what a person wants done about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_facts, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.rendering import queue_admin
from anime_pipeline.rendering.queue_admin import AttemptInfo, QueuedTake

app = typer.Typer(no_args_is_help=True)
Target = Annotated[str, typer.Argument(help="A job's number, or a key (cut, scene, episode, project).")]
_OPEN = ("queued", "processing", "failed")


@app.command("list")
def list_(
    scope: Annotated[str | None, typer.Argument(help="A key; without it, everything.")] = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"One of {', '.join(queue_admin.STATES)}; repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Finished and cancelled takes too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Takes that wait, are being rendered or have failed, in the order of their turn."""
    unknown = sorted(set(state or ()) - set(queue_admin.STATES))
    if unknown:
        raise UserError(f"No take is {unknown[0]}.", f"one of {', '.join(queue_admin.STATES)}")
    states = queue_admin.STATES if everything else tuple(state or _OPEN)
    house = open_house()
    with session_scope(house.settings) as session:
        takes = queue_admin.list_queue(session, scope, states)
    _print_takes("Queue", takes, as_json)


@app.command()
def show(target: Target, as_json: JsonOption = False) -> None:
    """A take with every attempt at it: server, prompt, times, outcome, error class and message."""
    house = open_house()
    with session_scope(house.settings) as session:
        takes = queue_admin.resolve(session, target)
        attempts = {take.job_id: queue_admin.attempts_of(session, take.job_id) for take in takes}
    if as_json:
        print_json(
            [{**asdict(take), "attempted": [asdict(a) for a in attempts[take.job_id]]} for take in takes]
        )
        return
    for take in takes:
        _print_take(take, attempts[take.job_id])


@app.command()
def retry(target: Target, as_json: JsonOption = False) -> None:
    """Queue failed or cancelled takes again, with all their attempts."""
    house = open_house()
    with session_scope(house.settings) as session:
        takes = queue_admin.retry(session, target)
    _print_changed(takes, "queued again; anime-pipeline render renders them", as_json)


@app.command()
def cancel(target: Target, as_json: JsonOption = False) -> None:
    """Cancel takes that wait or are being rendered; their prompts are taken off the servers."""
    house = open_house()
    with session_scope(house.settings) as session:
        takes = queue_admin.cancel(session, target)
        attempts = queue_admin.close_attempts(session, takes)
    for said in queue_admin.take_off_servers(attempts):
        err.print(said, soft_wrap=True)
    _print_changed(takes, "cancelled", as_json)


@app.command()
def reprioritise(
    target: Target,
    priority: Annotated[int, typer.Argument(help="The higher goes first; 0 is usual.", min=-1000, max=1000)],
    as_json: JsonOption = False,
) -> None:
    """Give waiting takes another priority."""
    house = open_house()
    with session_scope(house.settings) as session:
        takes = queue_admin.reprioritise(session, target, priority)
    _print_changed(takes, f"now of priority {priority}", as_json)


def _print_takes(title: str, takes: list[QueuedTake], as_json: bool) -> None:
    if as_json:
        print_json([asdict(take) for take in takes])
        return
    rows = [
        (t.job_id, t.cut_key, t.take_number, t.status, t.priority, f"{t.attempts}/{t.max_attempts}",
         t.server_url, t.message)
        for t in takes
    ]  # fmt: skip
    columns = ("job", "cut", "take", "status", "priority", "attempts", "server", "why")
    print_table(title, columns, rows)


def _print_take(take: QueuedTake, attempts: list[AttemptInfo]) -> None:
    print_facts({name: value for name, value in asdict(take).items() if value not in (None, {}, "")})
    rows = [
        (a.started_at, a.server_url, a.prompt_id, a.outcome or "open",
         a.error_class, a.gpu_seconds, a.message)
        for a in attempts
    ]  # fmt: skip
    columns = ("started (UTC)", "server", "prompt", "outcome", "class", "seconds", "message")
    print_table(f"Attempts at {take.cut_key}, take {take.take_number}", columns, rows)


def _print_changed(takes: list[QueuedTake], what: str, as_json: bool) -> None:
    if as_json:
        print_json([{"job_id": take.job_id, "cut_key": take.cut_key} for take in takes])
        return
    for take in takes:
        out.print(f"{take.cut_key} take {take.take_number}: {what}", soft_wrap=True)
