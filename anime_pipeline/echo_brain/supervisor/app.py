"""The reference supervisor as an application: registry, tasks, contexts, events, and a page to look at."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from anime_pipeline.echo_brain.configuration import Clock, utc_now
from anime_pipeline.echo_brain.errors import MessageError
from anime_pipeline.echo_brain.signing import verify
from anime_pipeline.echo_brain.supervisor.dispatching import Dispatcher
from anime_pipeline.echo_brain.supervisor.forms import (
    Context,
    Form,
    Heartbeat,
    Outgoing,
    Registration,
    SubmittedTask,
    WorkerEvent,
)
from anime_pipeline.echo_brain.supervisor.misbehaviour import (
    Misbehaviour,
    MisbehaviourMiddleware,
    Misbehaviours,
)
from anime_pipeline.echo_brain.supervisor.page import page
from anime_pipeline.echo_brain.supervisor.store import Store

MISSED_HEARTBEATS_SECONDS = 90.0
"""Three heartbeats: a worker that was silent for longer is forgotten, and has to register again."""
LONGEST_BODY = 1 << 20
_Form = TypeVar("_Form", bound=Form)


@dataclass
class Supervisor:
    """What the routes share."""

    home: Path
    secret: str = field(repr=False)
    clock: Clock = utc_now
    forget_after: float = MISSED_HEARTBEATS_SECONDS
    allow_misbehaviour: bool = False
    dispatches: bool = True

    def __post_init__(self) -> None:
        self.store = Store(self.home)
        self.misbehaviours = Misbehaviours()
        self.dispatcher = Dispatcher(self.store, self.secret, self.clock)

    def known(self, worker_id: str) -> bool:
        """Whether a worker is registered and was heard of lately."""
        self.store.forget(silent_since=self.clock() - timedelta(seconds=self.forget_after))
        return any(row["worker_id"] == worker_id for row in self.store.workers())


async def _body(request: Request) -> bytes:
    blocks, size = [], 0
    async for block in request.stream():
        blocks.append(block)
        size += len(block)
        if size > LONGEST_BODY:
            raise HTTPException(413, f"a body has {LONGEST_BODY} bytes at most")
    return b"".join(blocks)


async def _signed(request: Request) -> bytes:
    """The body of a worker's message, which only a worker with our secret can have sent."""
    body, supervisor = await _body(request), _of(request)
    try:
        verify(supervisor.secret, request.headers, body, supervisor.clock())
    except MessageError as error:
        raise HTTPException(401, str(error)) from None
    return body


async def _from_here(request: Request) -> bytes:
    """The body of a request that only a program on this machine may make, and no web page."""
    local = request.client is not None and request.client.host in ("127.0.0.1", "::1", "testclient")
    plain = request.headers.get("content-type", "").partition(";")[0] == "application/json"
    if not local or "origin" in request.headers or not plain:
        raise HTTPException(403, "only a program on this machine may do this, with application/json")
    return await _body(request)


def _of(request: Request) -> Supervisor:
    supervisor: Supervisor = request.app.state.supervisor
    return supervisor


def _parsed(form: type[_Form], body: bytes) -> _Form:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, json.loads(error.json(include_url=False, include_input=False))) from None


Signed = Annotated[bytes, Depends(_signed)]
FromHere = Annotated[bytes, Depends(_from_here)]
Shared = Annotated[Supervisor, Depends(_of)]


def create_supervisor(supervisor: Supervisor) -> FastAPI:
    """The application."""
    app = FastAPI(title="Reference supervisor", lifespan=_lifespan, redoc_url=None)
    app.state.supervisor = supervisor
    app.add_middleware(MisbehaviourMiddleware, planned=supervisor.misbehaviours)
    for method, path, function in _ROUTES:
        app.add_api_route(path, function, methods=[method])
    app.add_api_route("/", _page, response_class=HTMLResponse, include_in_schema=False)
    if supervisor.allow_misbehaviour:
        app.add_api_route("/api/supervisor/misbehave", _misbehave, methods=["POST"])
        app.add_api_route("/api/supervisor/behave", _behave, methods=["POST"])
        app.add_api_route("/api/supervisor/forget", _forget, methods=["POST"])
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    supervisor: Supervisor = app.state.supervisor
    if supervisor.dispatches:
        supervisor.dispatcher.start()
    yield
    if supervisor.dispatches:
        supervisor.dispatcher.stop()
    supervisor.store.close()


def _register(shared: Shared, body: Signed) -> dict[str, Any]:
    registration = _parsed(Registration, body)
    shared.store.register(registration.worker_id, registration.model_dump(mode="json"), shared.clock())
    return {"worker_id": registration.worker_id, "state": "registered"}


def _heartbeat(worker_id: str, shared: Shared, body: Signed) -> dict[str, Any]:
    heartbeat = _parsed(Heartbeat, body)
    told = heartbeat.model_dump(mode="json")
    if not shared.known(worker_id) or not shared.store.heartbeat(worker_id, told, shared.clock()):
        raise HTTPException(404, f"{worker_id} is not registered")
    return {"worker_id": worker_id, "state": "known"}


def _unregister(worker_id: str, shared: Shared, body: Signed) -> dict[str, Any]:
    if not shared.store.forget(worker_id):
        raise HTTPException(404, f"{worker_id} is not registered")
    return {"worker_id": worker_id, "state": "unregistered"}


def _event(worker_id: str, shared: Shared, body: Signed) -> dict[str, Any]:
    event = _parsed(WorkerEvent, body)
    if not shared.known(worker_id):
        raise HTTPException(404, f"{worker_id} is not registered")
    fresh = shared.store.take_event(worker_id, event.model_dump(mode="json"), shared.clock())
    return {"event_id": str(event.event_id), "duplicate": not fresh}


def _task(shared: Shared, body: Signed) -> dict[str, Any]:
    task = _parsed(SubmittedTask, body)
    fresh = shared.store.take_task(task.model_dump(mode="json"), shared.clock())
    return {"task_id": task.task_id, "state": "received", "duplicate": not fresh}


def _context(project_id: str, shared: Shared, body: Signed) -> dict[str, Any]:
    found = shared.store.context(project_id)
    if found is None:
        raise HTTPException(404, f"nothing is known of project {project_id}")
    return found


def _put_context(project_id: str, shared: Shared, body: FromHere) -> dict[str, Any]:
    context = _parsed(Context, body)
    shared.store.set_context(project_id, context.model_dump(mode="json"))
    return context.model_dump(mode="json")


def _send(shared: Shared, body: FromHere) -> dict[str, Any]:
    """Have an event or a task sent to a worker; without ids they get new ones."""
    outgoing = _parsed(Outgoing, body)
    if outgoing.task_type is not None:
        task_id = outgoing.task_id or str(uuid.uuid4())
        message = {
            "task_id": task_id, "task_type": outgoing.task_type, "project_id": outgoing.project_id,
            "priority": outgoing.priority, "payload": outgoing.data, "submitted_by": "supervisor",
            "submitted_at": shared.clock().isoformat(),
        }  # fmt: skip
        shared.store.put_out(task_id, "tasks", message, outgoing.task_type)
        return {"task_id": task_id}
    event_id = outgoing.event_id or str(uuid.uuid4())
    message = {
        "event_id": event_id, "event_type": outgoing.event_type, "data": outgoing.data,
        "task_id": outgoing.task_id, "timestamp": shared.clock().isoformat(),
    }  # fmt: skip
    shared.store.put_out(event_id, "webhook", message, None)
    return {"event_id": event_id}


def _state(shared: Shared) -> dict[str, Any]:
    """Everything, to look at."""
    store = shared.store
    return {
        "workers": store.workers(), "events": store.events(), "tasks": store.tasks(),
        "outgoing": store.outgoing(),
    }  # fmt: skip


def _page(shared: Shared) -> HTMLResponse:
    return HTMLResponse(page(shared.store))


def _misbehave(shared: Shared, body: FromHere) -> dict[str, Any]:
    try:
        planned = Misbehaviour.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, json.loads(error.json(include_url=False, include_input=False))) from None
    shared.misbehaviours.plan(planned)
    return planned.model_dump()


def _behave(shared: Shared, body: FromHere) -> dict[str, Any]:
    shared.misbehaviours.clear()
    return {}


def _forget(shared: Shared, body: FromHere) -> dict[str, Any]:
    return {"forgotten": shared.store.forget()}


_ROUTES = (
    ("POST", "/api/workers/register", _register),
    ("POST", "/api/workers/{worker_id}/heartbeat", _heartbeat),
    ("POST", "/api/workers/{worker_id}/unregister", _unregister),
    ("POST", "/api/workers/{worker_id}/events", _event),
    ("POST", "/api/tasks", _task),
    ("GET", "/api/projects/{project_id}/context", _context),
    ("PUT", "/api/projects/{project_id}/context", _put_context),
    ("POST", "/api/supervisor/send", _send),
    ("GET", "/api/supervisor/state", _state),
)
