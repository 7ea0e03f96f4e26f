"""Defends that the inbox forgets what is long done, and nothing that keeps it from doing a thing twice."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain import inbox
from anime_pipeline.echo_brain.errors import ReplayedError
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings
from anime_pipeline_tests.echo_brain.messages import event, signed
from anime_pipeline_tests.echo_brain.supervising import SECRET, TurnedClock


class Worker:
    """An installation with a project, and whoever brings it messages."""

    def __init__(self, settings: Settings, clock: TurnedClock) -> None:
        self.settings = settings.model_copy(update={"echo_brain_secret": SECRET})
        self.clock = clock
        with session_scope(self.settings) as session:
            self.project_id = session.scalar(text("INSERT INTO projects (name) VALUES ('P') RETURNING id"))

    def bring(self, body: bytes, headers: dict[str, str]) -> inbox.Receipt:
        with session_scope(self.settings) as session:
            return inbox.receive(session, self.settings, "webhook", body, headers, self.clock)

    def take(self, message: dict[str, Any]) -> inbox.Receipt:
        """What came of a message that is signed and sent now."""
        self.clock.turn(microseconds=10)
        return self.bring(*signed(message, self.clock))

    def story(self) -> dict[str, Any]:
        """A message that is followed."""
        return event("story.updated", {"project_id": self.project_id})

    def prune(self) -> int:
        with session_scope(self.settings) as session:
            return inbox.prune(session, self.settings, self.clock())

    def kept(self) -> set[str]:
        with session_scope(self.settings) as session:
            return {message.event_id for message in inbox.list_messages(session)}


@pytest.fixture
def worker(settings: Settings, clock: TurnedClock) -> Worker:
    return Worker(settings, clock)


def test_what_was_followed_goes_after_its_days_and_nothing_else(worker: Worker) -> None:
    unknown, refused = event("weather.changed", {}), event("story.updated", {"project_id": 10**6})
    done, later = worker.story(), worker.story()
    states = [worker.take(message).state for message in (unknown, refused, done)]
    assert states == ["unknown", "refused", "applied"]
    worker.clock.turn(days=89)
    worker.take(later)
    assert worker.prune() == 0
    worker.clock.turn(days=2)
    assert worker.prune() == 1
    assert worker.kept() == {message["event_id"] for message in (unknown, refused, later)}
    worker.clock.turn(days=1000)
    worker.prune()
    assert worker.kept() == {unknown["event_id"], refused["event_id"]}, "nobody followed them"


def test_a_message_that_still_comes_is_still_known(worker: Worker) -> None:
    """Its last sending counts: else that one could be played back as if it were new."""
    message = worker.story()
    worker.take(message)
    worker.clock.turn(days=89)
    again = signed(message, worker.clock)
    assert worker.bring(*again).duplicate
    worker.clock.turn(days=1, seconds=100)
    assert worker.prune() == 0
    worker.clock.turn(days=-1)
    with pytest.raises(ReplayedError):
        worker.bring(*again)
    worker.clock.turn(days=1)
    assert worker.take(message).duplicate


def test_no_setting_forgets_within_the_window_of_a_signature(worker: Worker) -> None:
    with pytest.raises(ValidationError):
        Settings(echo_brain_inbox_days=0)
    worker.settings = worker.settings.model_copy(update={"echo_brain_inbox_days": 1})
    sent = signed(worker.story(), worker.clock)
    worker.bring(*sent)
    worker.clock.turn(seconds=299)
    worker.prune()
    with pytest.raises(ReplayedError):
        worker.bring(*sent)


def test_what_nobody_will_follow_can_be_dropped(worker: Worker) -> None:
    unknown, done = worker.take(event("weather.changed", {})), worker.take(worker.story())
    with session_scope(worker.settings) as session:
        inbox.drop(session, unknown.event_id)
        with pytest.raises(UserError, match="not followed twice"):
            inbox.drop(session, done.event_id)
        with pytest.raises(UserError, match="no message"):
            inbox.drop(session, unknown.event_id)
    assert worker.kept() == {done.event_id}
