"""Callbacks: only to allowed hosts, never inwards by accident, again until taken, under one event id."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Job, JobCallback
from anime_pipeline.echo_brain.callbacks import (
    MOST_FAILURES,
    CallbackError,
    check_callback_url,
    deliver_callbacks,
    is_outer,
    want_callback,
)
from anime_pipeline.echo_brain.signing import verify
from anime_pipeline.settings import Settings

SECRET = "a secret of some length"
NOW = datetime.now(timezone.utc)


class Receiver:
    """A client's server: what it got, and what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/done?job=1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    threading.Thread(target=one.server.serve_forever, daemon=True).start()
    yield one
    one.server.shutdown()


def allowing(settings: Settings, receiver: Receiver, **changed: Any) -> Settings:
    hosts = {"callback_hosts": f"hooks.example, localhost:{receiver.port}", "callback_secret": SECRET}
    return settings.model_copy(update={**hosts, "callback_private_addresses": True, **changed})


def job(session: Session, settings: Settings, url: str, status: str = "completed") -> int:
    one = Job(job_type="still_image", status=status)
    session.add(one)
    session.flush()
    want_callback(session, settings, one.id, url)
    session.commit()
    return one.id


def test_the_end_of_a_job_is_posted_once_and_signed(
    session: Session, settings: Settings, receiver: Receiver
) -> None:
    settings = allowing(settings, receiver)
    waiting = job(session, settings, receiver.url, "processing")
    ended = job(session, settings, receiver.url)
    done = deliver_callbacks(settings, NOW)
    assert (done.delivered, done.failed) == (1, 0)
    assert deliver_callbacks(settings, NOW).delivered == 0
    [(headers, body)] = receiver.got
    told = json.loads(body)
    assert (told["job_id"], told["event_type"]) == (ended, "job.completed")
    assert headers["X-Event-Id"] == told["event_id"]
    verify(SECRET, headers, body, NOW)
    session.get_one(Job, waiting).status = "failed"
    session.commit()
    assert deliver_callbacks(settings, NOW).delivered == 1
    assert json.loads(receiver.got[1][1])["event_type"] == "job.failed"


def test_what_is_not_taken_is_tried_again_later_under_the_same_id(
    session: Session, settings: Settings, receiver: Receiver
) -> None:
    settings = allowing(settings, receiver)
    job_id = job(session, settings, receiver.url)
    receiver.status = 500
    assert deliver_callbacks(settings, NOW).failed == 1
    assert deliver_callbacks(settings, NOW) == type(deliver_callbacks(settings, NOW))()
    receiver.status = 200
    assert deliver_callbacks(settings, NOW + timedelta(hours=1)).delivered == 1
    assert len({headers["X-Event-Id"] for headers, _ in receiver.got}) == 1
    assert session.get_one(JobCallback, job_id, populate_existing=True).state == "delivered"


def test_a_callback_that_is_never_taken_is_given_up(
    session: Session, settings: Settings, receiver: Receiver
) -> None:
    settings = allowing(settings, receiver)
    job_id = job(session, settings, receiver.url)
    session.get_one(JobCallback, job_id).failures = MOST_FAILURES - 1
    session.commit()
    receiver.status = 302
    assert deliver_callbacks(settings, NOW).died == 1
    assert len(receiver.got) == 1, "a redirect is not followed"
    kept = session.get_one(JobCallback, job_id, populate_existing=True)
    assert (kept.state, "302" in str(kept.last_error)) == ("dead", True)


def test_an_inner_address_is_not_reached_through_an_allowed_name(
    session: Session, settings: Settings, receiver: Receiver
) -> None:
    settings = allowing(settings, receiver, callback_private_addresses=False)
    job_id = job(session, settings, receiver.url)
    assert deliver_callbacks(settings, NOW).failed == 1
    assert receiver.got == []
    told = session.get_one(JobCallback, job_id, populate_existing=True).last_error or ""
    assert "private network" in told


def test_addresses_of_this_machine_and_its_network_are_known_in_every_spelling() -> None:
    inner = (
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::7f00:1", "2002:7f00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    )  # fmt: skip
    assert [one for one in inner if is_outer(one)] == []
    assert all(is_outer(one) for one in ("93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"))


def test_one_that_cannot_be_sent_holds_up_no_other(
    session: Session, settings: Settings, receiver: Receiver
) -> None:
    nowhere = "x" * 70 + ".example"
    allowed = f"localhost:{receiver.port}, {nowhere}, \u672c.example"
    settings = allowing(settings, receiver, callback_hosts=allowed)
    for host in (nowhere, "\u672c.example"):
        job(session, settings, f"http://{host}/")
    job(session, settings, f"{receiver.url}&name=\u672c \x01")
    done = deliver_callbacks(settings, NOW)
    assert (done.delivered, done.failed) == (1, 2)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://hooks.example.evil.example/",
        "https://hooks.example@evil.example/",
        "https://evil.example#@hooks.example/",
        "http://localhost:1/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "https://user:pass@hooks.example/",
        "https://hooks.example:99999/",
        "//hooks.example/",
        "",
    ],
)
def test_other_urls_are_refused(settings: Settings, receiver: Receiver, url: str) -> None:
    with pytest.raises(CallbackError):
        check_callback_url(allowing(settings, receiver), url)


def test_no_host_is_allowed_unless_an_operator_says_so(settings: Settings) -> None:
    with pytest.raises(CallbackError, match=r"may not go to hooks\.example"):
        check_callback_url(settings, "https://hooks.example/")
