"""The supervisor's page for people: workers, what is sent to them, tasks, the newest events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from html import escape

from anime_pipeline.echo_brain.supervisor.store import Store

_NEWEST = 50
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>Reference supervisor</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; color: #222 }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 2rem }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }}
td {{ overflow-wrap: anywhere }}
</style></head><body><h1>Reference supervisor</h1>{tables}</body></html>"""


def page(store: Store) -> str:
    """The page, as HTML; it reloads itself every five seconds."""
    workers = [
        (
            row["worker_id"], (row["heartbeat"] or row["registration"]).get("status"),
            "; ".join((row["heartbeat"] or {}).get("reasons", [])), _time(row["heartbeat_at"]),
            ", ".join(row["registration"]["capabilities"]), json.dumps((row["heartbeat"] or {}).get("queue")),
        )
        for row in store.workers()
    ]  # fmt: skip
    events = [
        (
            _time(row["received_at"]), row["event"]["event_type"], row["event"]["job_id"],
            row["event"]["task_id"], row["receipts"], row["event_id"],
        )
        for row in reversed(store.events(_NEWEST))
    ]  # fmt: skip
    sent = [
        (row["message_id"], row["route"], row["state"], row["worker_id"], row["attempts"], row["answer"])
        for row in reversed(store.outgoing()[-_NEWEST:])
    ]
    tasks = [
        (row["task_id"], row["task"]["task_type"], row["task"]["submitted_by"], _time(row["received_at"]))
        for row in reversed(store.tasks()[-_NEWEST:])
    ]
    tables = (
        _table("Workers", ("worker", "status", "because", "last heard", "can do", "queue"), workers),
        _table("Sent to workers", ("message", "route", "state", "worker", "attempts", "answer"), sent),
        _table("Events of workers", ("received", "event", "job", "task", "receipts", "event id"), events),
        _table("Tasks", ("task", "type", "submitted by", "received"), tasks),
    )
    return _PAGE.format(tables="".join(tables))


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = [
        "<tr>" + "".join(f"<td>{'' if cell is None else escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    ]
    body = "".join(lines) or "<tr><td>none</td></tr>"
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>"


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%H:%M:%S UTC")
