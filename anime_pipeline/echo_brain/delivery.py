"""Brings events to the supervisor: at least once, in order within a job, and one deliverer at a time.

The deliverer holds an advisory lock of the database, which goes with its connection when it is killed. An
event is noted as delivered after the supervisor's yes; killed in between, it is sent again under the same id.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database.session import engine_for
from anime_pipeline.echo_brain import outbox
from anime_pipeline.echo_brain.backoff import wait_after
from anime_pipeline.echo_brain.client import SupervisorClient
from anime_pipeline.echo_brain.configuration import Clock, supervisor_link, utc_now
from anime_pipeline.echo_brain.errors import SupervisorError
from anime_pipeline.echo_brain.heartbeat import beat
from anime_pipeline.echo_brain.identity import change, note_supervisor
from anime_pipeline.settings import Settings

DEADLY = 300
"""At so many failures an event is dead: five refusals, or a supervisor that fails for most of a day."""
WEIGHTS = {"failing": 1, "refused": 60}
MOST_FAILING = 3
"""After so many failures in a row the fault is the supervisor's, and the rest of the line waits."""
BATCH = 200
_LOCK = 0x6563686F  # "echo"

Ended = Literal["off", "left", "elsewhere", "empty", "later", "outage", "time"]


@dataclass
class Delivery:
    """What one delivery did, and why it ended.

    off: there is no supervisor. left: this worker is unregistered. elsewhere: another process delivers.
    empty: nothing is left. later: what is left waits for its time, or for a dead event to be replayed.
    outage: the supervisor is away or failing; it is left alone for a while. time: the time given is
    over.
    """

    ended: Ended = "empty"
    delivered: int = 0
    failed: int = 0
    died: int = 0
    left: int = 0
    said: str = ""


def deliver(settings: Settings, seconds: float = 20.0, clock: Clock = utc_now, wait: bool = True) -> Delivery:
    """Deliver what can be delivered, for so many seconds at most (and one more time-out).

    ``wait`` False tries everything once now, though its time, or that of an outage, is not over.
    """
    link = supervisor_link(settings)
    if link is None:
        return Delivery("off", said="No supervisor is configured (ANIME_ECHO_BRAIN_URL).")
    with _only_deliverer(settings) as session:
        if session is None:
            return Delivery("elsewhere", said="Another process is delivering.")
        row = note_supervisor(session, link.url, clock())
        session.commit()
        if not row.wanted:
            return Delivery("left", said="This worker is unregistered; anime-pipeline echo register.")
        if wait and row.deliver_at is not None and row.deliver_at > clock():
            said = f"Tried again at {row.deliver_at:%H:%M:%S} UTC: {row.outage_error}"
            return _counted(session, Delivery("outage", said=said))
        if not wait:
            outbox.make_due(session)
        with SupervisorClient(link, row.worker_id, clock) as client:
            line = _Line(settings, session, client, clock, row.outages)
            line.deliver(time.monotonic() + seconds)
        outbox.prune(session, clock())
        return _counted(session, line.done)


class _Line:
    """The events that wait, and one delivery of them."""

    def __init__(
        self, settings: Settings, session: Session, client: SupervisorClient, clock: Clock, outages: int
    ) -> None:
        self._settings, self._session, self._client, self._clock = settings, session, client, clock
        self._outages = outages
        self._failing = 0
        self._was_forgotten = False
        self.done = Delivery()

    def deliver(self, deadline: float) -> None:
        """Send what may be sent, until nothing is left, an outage, or the deadline of the monotonic clock."""
        while events := outbox.next_events(self._session, self._clock(), BATCH):
            self._session.commit()  # no transaction is open while the supervisor is spoken to
            for event in events:
                if time.monotonic() > deadline:
                    self.done.ended = "time"
                    return
                try:
                    self._client.send_event(event.message())
                except SupervisorError as error:
                    if not self._goes_on(event, error):
                        self._session.commit()
                        return
                else:
                    self._note_delivered(event)
                self._session.commit()
        self._session.commit()

    def _note_delivered(self, event: outbox.Event) -> None:
        outbox.mark_delivered(self._session, event, self._clock())
        if self._outages:
            change(self._session, outages=0, deliver_at=None, outage_error=None)
        self._outages = self._failing = 0
        self.done.delivered += 1

    def _goes_on(self, event: outbox.Event, error: SupervisorError) -> bool:
        """Note a failed attempt; whether the rest of the line may go on, since the fault is the event's."""
        self.done.said = str(error)
        weight = WEIGHTS.get(error.trouble)
        if weight is not None:
            later = self._clock() + wait_after(event.failures // weight + 1)
            died = outbox.mark_tried(self._session, event, str(error), weight, later, DEADLY) == "dead"
            self.done.died += died
            self.done.failed += not died
            self._failing = self._failing + 1 if error.trouble == "failing" else 0
            if self._failing < MOST_FAILING:
                return True
        elif error.trouble == "forgotten" and self._registers_again():
            return True
        self.done.ended = "outage"
        later = self._clock() + wait_after(self._outages + 1)
        change(self._session, outages=self._outages + 1, deliver_at=later, outage_error=str(error))
        return False

    def _registers_again(self) -> bool:
        """A supervisor that has forgotten us is told who we are, once; the event's turn comes again."""
        first, self._was_forgotten = not self._was_forgotten, True
        if not first:
            return False
        change(self._session, registered_at=None, retry_at=None)
        self._session.commit()
        known = beat(self._settings, self._clock).done == "registered"
        if known:
            self.done.said = "The supervisor had forgotten this worker, which is registered again."
        return known


def _counted(session: Session, done: Delivery) -> Delivery:
    done.left = outbox.count_events(session)["waiting"]
    session.commit()
    if done.ended == "empty" and done.left:
        done.ended = "later"
    return done


@contextmanager
def _only_deliverer(settings: Settings) -> Iterator[Session | None]:
    """A session on a connection that holds the deliverer's lock; None where another process holds it."""
    with engine_for(settings).connect() as connection, Session(connection, expire_on_commit=False) as session:
        got = session.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK})
        session.commit()
        if not got:
            yield None
            return
        try:
            yield session
        finally:
            session.rollback()
            session.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            session.commit()
