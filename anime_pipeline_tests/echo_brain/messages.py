"""Messages as a supervisor sends them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from anime_pipeline.echo_brain.signing import signed_headers
from anime_pipeline_tests.echo_brain.supervising import SECRET, TurnedClock


def event(event_type: str, data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An event with an id of its own."""
    return {"event_id": str(uuid.uuid4()), "event_type": event_type, "data": data, **fields}


def task(task_type: str, payload: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A task with an id of its own."""
    return {"task_id": str(uuid.uuid4()), "task_type": task_type, "payload": payload, **fields}


def signed(message: object, clock: TurnedClock, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A message's bytes, and the headers that go with them at this moment of the clock."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return body, signed_headers(secret, body, clock())
