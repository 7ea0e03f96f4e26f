"""One thread's work on one server: lease a take, render it, record how that went, and so on."""

from __future__ import annotations

import errno
import logging
import time
from dataclasses import dataclass

from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.media.errors import UnreachableStoreError
from anime_pipeline.rendering.attempts import Attempt, LeaseLostError
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.desk import Desk
from anime_pipeline.rendering.fate import Scene
from anime_pipeline.rendering.fleet import FleetServer
from anime_pipeline.rendering.following import StoppedError
from anime_pipeline.rendering.patience import DATABASE_GONE, TRIES, WAIT_SECONDS
from anime_pipeline.rendering.queue import Leased, Place, lease, unfinished
from anime_pipeline.rendering.recording import (
    Outcome,
    note_progress,
    record_failure,
    record_stop,
    record_success,
)
from anime_pipeline.rendering.registry import (
    Standing,
    block,
    candidates,
    note_failure,
    note_success,
    settle,
    standing,
    unblock,
)

IDLE_SECONDS = 0.2
NOTE_SECONDS = 1.0
"""How often at most a take's progress is written down."""
# After these a server may have the prompt still: it stalled, or a mistake of ours gave it up.
_STILL_THERE = ("stall", "execution")
# What says that this machine, or the media store, can take no file: no take is at fault, and each would fail.
_NO_ROOM = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE,
    }
)  # fmt: skip
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Next:
    """What to do now: a take, or waiting for one (``left``), or for the server to be ``blocked`` no more."""

    leased: Leased | None = None
    left: bool = True
    blocked_seconds: float | None = None


def work(desk: Desk, server: FleetServer) -> None:
    """Render takes on a server until none is left that it can do, or it is paused, removed or given up."""
    database_failures = 0
    while not desk.stop.is_set():
        try:
            desk.give_back_unreported()
            following = _next(desk, server)
            if following.leased is not None:
                goes_on = _Turn(desk, server, following.leased).run()
            elif not following.left:
                return
            elif following.blocked_seconds is not None:
                goes_on = _sit_out(desk, server, following.blocked_seconds)
            else:
                desk.stop.wait(IDLE_SECONDS)
                goes_on = True
            if not goes_on:
                return
            database_failures = 0
        except DATABASE_GONE as error:
            # The database restarts: what a server renders meanwhile is adopted afterwards.
            database_failures += 1
            if database_failures > TRIES:
                desk.end(error)
                return
            _log.warning("the database does not answer: %s", error)
            desk.stop.wait(WAIT_SECONDS)
        except Exception as error:  # a mistake of ours: end the drain, but release everything first
            desk.end(error)
            return


def _next(desk: Desk, server: FleetServer) -> _Next:
    if desk.is_closing:
        return _Next(left=False)
    with session_scope(desk.settings) as session:
        if server.server.embedded:
            stands: Standing | None = Standing()
        else:
            stands = standing(session, server.url)
        if stands is None or stands.state in ("paused", "draining"):
            settle(session, server.url)
            return _Next(left=False)
        leased = None
        if stands.state == "active":
            place = _place(desk, server, stands)
            leased = lease(session, desk.worker_id, place, desk.settings.lease_seconds, desk.job_ids)
        if leased is not None:
            return _Next(leased)
        left = unfinished(session, desk.job_ids, server.url, desk.worker_id) > 0
        return _Next(left=left, blocked_seconds=stands.probe_seconds if stands.state == "blocked" else None)


def _place(desk: Desk, server: FleetServer, stands: Standing) -> Place:
    allowed = stands.concurrency or desk.settings.prompts_in_flight
    return Place(
        server.url,
        1 if stands.suspect else allowed,
        stands.vram_total,
        stands.biggest,
        stands.loaded_models,
        stands.others,
        desk.staffed,
    )


def _sit_out(desk: Desk, server: FleetServer, seconds: float) -> bool:
    """Wait for the end of a block, then probe; False when the server is given up."""
    if seconds > 0:
        desk.stop.wait(min(seconds, 1.0))  # a person may resume it before
        return True
    if not server.recover(desk.stop.is_set):
        return _given_up(desk, server)
    with session_scope(desk.settings) as session:
        unblock(session, server.url)
    return True


def _given_up(desk: Desk, server: FleetServer) -> bool:
    if not desk.stop.is_set():
        with session_scope(desk.settings) as session:
            block(session, server.url, f"{server.url} does not answer")
    return False


class _Turn:
    """One take's turn on one server."""

    def __init__(self, desk: Desk, server: FleetServer, leased: Leased) -> None:
        self._desk, self._server, self._leased = desk, server, leased
        self._attempt = Attempt(
            desk.settings, desk.store, server, leased,
            lambda: desk.stop.is_set() or server.paused.is_set(),
            self._progress,
        )  # fmt: skip
        self._noted_at = time.monotonic()

    def _progress(self, fraction: float) -> None:
        """Tell how far the server is; the database hears of it once in a while, for those who follow."""
        self._desk.tell("progress", self._server.url, self._leased, fraction=fraction)
        if time.monotonic() - self._noted_at < NOTE_SECONDS:
            return
        self._noted_at = time.monotonic()
        try:
            with session_scope(self._desk.settings) as session:
                note_progress(session, self._leased, fraction)
        except DATABASE_GONE as error:
            _log.info("%s: its progress is not noted: %s", self._leased.cut_key, error)

    def run(self) -> bool:
        """Render the take and record how that went; False when the server is given up."""
        desk, leased = self._desk, self._leased
        desk.take(leased)
        try:
            outcome = self._rendered()
        except DATABASE_GONE:
            desk.drop(leased, reported=False)
            raise
        finally:
            desk.drop(leased)
        if outcome == "connection" and not self._server.recover(desk.stop.is_set):
            return _given_up(desk, self._server)
        return True

    def _rendered(self) -> Outcome | str:
        desk, leased = self._desk, self._leased
        try:
            desk.tell("adopted" if leased.open_attempt else "started", self._server.url, leased)
            return self._outcome()
        except LeaseLostError:
            desk.tell("superseded", self._server.url, leased)
            return "superseded"
        except StoppedError:
            self._stopped()
            return "stopped"

    def _outcome(self) -> Outcome | str:
        try:
            rendered = self._attempt.render()
        except (StoppedError, LeaseLostError, UnreachableStoreError, *DATABASE_GONE):
            raise  # without a store the drain ends as on a full disk: no take is at fault
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise _no_room(error) from error
            return self._failed(error if isinstance(error, ComfyError) else _unexpected(self._leased, error))
        with session_scope(self._desk.settings) as session:
            outcome = record_success(session, self._leased, self._attempt.attempt_id or 0, rendered)
            note_success(session, self._attempt.client.url, self._leased.models)
        self._desk.tell(outcome, self._server.url, self._leased)
        return outcome

    def _failed(self, error: ComfyError) -> Outcome | str:
        url = self._attempt.client.url
        if error.error_class == "out_of_memory":
            self._free()
        with session_scope(self._desk.settings) as session:
            stands = standing(session, url) or Standing()
            scene = Scene(url, stands.vram_total, candidates(session))
            outcome = record_failure(session, self._leased, self._attempt.attempt_id, error, scene)
            if error.policy.blames:
                note_failure(session, url, str(error), suspect=error.error_class == "stall")
        # Recorded first: were this killed in between, the next worker would adopt an interrupted prompt and
        # take it for a person's wish. And a prompt that another worker has adopted by now is left to it.
        if outcome != "superseded" and error.error_class in _STILL_THERE:
            self._attempt.cancel()
        self._desk.tell(outcome, self._server.url, self._leased, str(error))
        return "connection" if error.error_class == "connection" else outcome

    def _stopped(self) -> None:
        why = "the server was paused" if self._server.paused.is_set() else "the worker was told to stop"
        with session_scope(self._desk.settings) as session:
            is_ours = record_stop(session, self._leased, self._attempt.attempt_id, why)
        if is_ours:
            self._attempt.cancel()
        self._desk.tell("stopped", self._server.url, self._leased)

    def _free(self) -> None:
        try:
            self._attempt.client.free()
        except ComfyError:
            _log.info("%s could not be asked to free its memory", self._attempt.client.url)


def _no_room(error: OSError) -> UserError:
    """What ends the drain: the attempt stays open, so that what the server has finished is fetched later."""
    where = f": {error.filename}" if error.filename else ""
    return UserError(
        f"renders cannot be stored here: {error.strerror}{where}",
        "make room for the media store and for temporary files (TMPDIR), then render again: what servers "
        "have finished is fetched, not rendered again",
    )


def _unexpected(leased: Leased, error: Exception) -> ComfyError:
    """What nobody foresaw costs this take an attempt, and no other take anything."""
    if not isinstance(error, UserError):
        _log.exception("%s: unexpected failure", leased.cut_key)
    return ComfyError("execution", str(error) or type(error).__name__)
