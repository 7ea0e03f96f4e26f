"""Messages to workers: signed, to the callback of one that can do it, again and again until it is taken."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

import requests

from anime_pipeline.echo_brain.backoff import wait_after
from anime_pipeline.echo_brain.configuration import Clock
from anime_pipeline.echo_brain.signing import signed_headers
from anime_pipeline.echo_brain.supervisor.store import Row, Store

TIMEOUT = (2.0, 10.0)
LOOK_SECONDS = 1.0


class Dispatcher:
    """Sends what the store has for workers. A 4xx is final, since the message is at fault."""

    def __init__(self, store: Store, secret: str, clock: Clock) -> None:
        self._store = store
        self._secret = secret
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor-dispatcher", daemon=True)

    def start(self) -> None:
        """Look for messages from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End after the message in hand."""
        self._stop.set()
        self._thread.join(15)

    def dispatch(self) -> int:
        """Send what is due; how many messages were taken."""
        taken = 0
        for row in self._store.outgoing(self._clock()):
            worker = next((one for one in self._store.workers() if _can(one, row)), None)
            if worker is not None:
                taken += self._send(row, worker)
        return taken

    def _send(self, row: Row, worker: Row) -> bool:
        now, body = self._clock(), json.dumps(row["message"]).encode()
        url = f"{str(worker['registration']['callback_url']).rstrip('/')}/{row['route']}"
        headers = {"Content-Type": "application/json", **signed_headers(self._secret, body, now)}
        try:
            answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
            state = "taken" if answer.ok else "refused" if 400 <= answer.status_code < 500 else "waiting"
            said = f"{answer.status_code}: {answer.text[:2000]}"
        except requests.RequestException as error:
            state, said = "waiting", f"{url} does not answer ({type(error).__name__})"
        self._store.note_sent(row["id"], state, worker["worker_id"], said, _later(now, row, state))
        return state == "taken"

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.dispatch()


def _can(worker: Mapping[str, object], row: Row) -> bool:
    registration = worker["registration"]
    assert isinstance(registration, dict)
    wanted = row["worker_id"] if row["attempts"] else None
    if wanted is not None and worker["worker_id"] != wanted:
        return False
    return row["needs"] is None or row["needs"] in registration["capabilities"]


def _later(now: datetime, row: Row, state: str) -> datetime:
    return now + (wait_after(row["attempts"] + 1) if state == "waiting" else timedelta(0))
