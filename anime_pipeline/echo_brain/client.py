"""HTTP to the supervisor: every request signed, with a time-out, and every failure of a kind."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import requests
import urllib3

from anime_pipeline.echo_brain.configuration import Clock, Link, utc_now
from anime_pipeline.echo_brain.errors import SupervisorError, Trouble
from anime_pipeline.echo_brain.signing import signed_headers

CONNECT_SECONDS, READ_SECONDS = 2.0, 5.0
ANSWER_SECONDS = 10.0
"""For an answer as a whole, since the time-out of reading begins anew with every byte."""
LONGEST_ANSWER = 1 << 20
_DENIED = (401, 403, 407, 408, 425, 429)


class SupervisorClient:
    """The supervisor's protocol as its workers speak it. All methods raise :class:`SupervisorError`."""

    def __init__(self, link: Link, worker_id: str, clock: Clock = utc_now) -> None:
        self._link = link
        self._worker_id = worker_id
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment is none for the studio's own network

    def __enter__(self) -> SupervisorClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def register(self, worker: Mapping[str, Any]) -> dict[str, Any]:
        """Tell who we are and what we can do."""
        return self._post("/api/workers/register", {"worker_id": self._worker_id, **worker})

    def heartbeat(self, status: Mapping[str, Any]) -> dict[str, Any]:
        """Tell how we are; ``forgotten`` means that the supervisor wants a registration."""
        told = {"worker_id": self._worker_id, "timestamp": self._clock().isoformat(), **status}
        return self._post(f"/api/workers/{self._worker_id}/heartbeat", told)

    def unregister(self) -> dict[str, Any]:
        """Leave; nothing more is sent to us."""
        return self._post(f"/api/workers/{self._worker_id}/unregister", {"worker_id": self._worker_id})

    def send_event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Deliver an event; one that the supervisor has already is taken as delivered by its ``event_id``."""
        return self._post(f"/api/workers/{self._worker_id}/events", event)

    def submit_task(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Give the supervisor a task, as :class:`~anime_pipeline.echo_brain.events.Task` has it."""
        return self._post("/api/tasks", task)

    def project_context(
        self, project_id: int | str, context_type: str = "full", character_ids: Sequence[int] = ()
    ) -> dict[str, Any]:
        """What the supervisor knows of a project's story."""
        query = {"context_type": context_type}
        if character_ids:
            query["character_ids"] = ",".join(str(character_id) for character_id in character_ids)
        return self._request("GET", f"/api/projects/{project_id}/context", b"", query)

    def _post(self, path: str, message: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        return self._request("POST", path, body)

    def _request(
        self, method: str, path: str, body: bytes, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        url = self._link.url + path
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            **signed_headers(self._link.secret, body, self._clock()),
        }
        try:
            with self._session.request(
                method, url, data=body, params=query, headers=headers, stream=True, allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            ) as response:  # fmt: skip
                status, answer = response.status_code, _whole(response, url)
        except requests.exceptions.ReadTimeout as error:
            raise _error("failing", url, f"did not answer within {READ_SECONDS:.0f} s") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise _error("away", url, f"cannot be reached ({_cause(error)})") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _error("failing", url, f"gave no proper answer ({_cause(error)})") from error
        if 200 <= status < 300:
            return _object(answer)
        raise _error(_trouble(status), url, f"answered {status}{_said(answer)}")


def _trouble(status: int) -> Trouble:
    if status >= 500:
        return "failing"
    if status in (404, 410):
        return "forgotten"
    return "denied" if status < 400 or status in _DENIED else "refused"


def _whole(response: requests.Response, url: str) -> bytes:
    """The answer's bytes, of which there may not be too many, nor may they drip in for ever."""
    deadline, blocks, size = time.monotonic() + ANSWER_SECONDS, [], 0
    # As they come: to wait for a full block would be to wait for as long as bytes drip in.
    while block := response.raw.read1(1 << 16):
        blocks.append(block)
        size += len(block)
        if size > LONGEST_ANSWER or time.monotonic() > deadline:
            raise _error("failing", url, "gave an answer that has no end")
    return b"".join(blocks)


def _object(answer: bytes) -> dict[str, Any]:
    """The answer as an object; a 2xx is a yes, with whatever body."""
    try:
        value = json.loads(answer) if answer.strip() else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {"answer": value}


def _said(answer: bytes) -> str:
    """What an error's body says, in one short line."""
    try:
        value = json.loads(answer)
    except ValueError:
        value = answer.decode("utf-8", "replace")
    if isinstance(value, dict):
        value = value.get("detail") or value.get("error") or value
    line = " ".join(str(value).split())[:200]
    return f": {line}" if line else ""


def _cause(error: BaseException) -> str:
    while error.args and isinstance(error.args[0], BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    return " ".join(str(reason or error).split())[-160:]


def _error(trouble: Trouble, url: str, said: str) -> SupervisorError:
    remedies = {
        "away": "start the supervisor, or correct ANIME_ECHO_BRAIN_URL",
        "denied": "set ANIME_ECHO_BRAIN_SECRET to the supervisor's secret",
    }
    return SupervisorError(trouble, f"The supervisor {said} at {url}.", remedies.get(trouble))
