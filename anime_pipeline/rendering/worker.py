"""The worker: keeps prompts in flight on every server until the queue is empty, and loses none of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack

from sqlalchemy.exc import OperationalError

from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.attempts import Attempt, LeaseLostError
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.events import DrainReport, EventKind, OnEvent, RenderEvent, drain_report
from anime_pipeline.rendering.fleet import FleetServer
from anime_pipeline.rendering.following import StoppedError
from anime_pipeline.rendering.queue import Leased, expire, heartbeat, lease, release, unfinished
from anime_pipeline.rendering.recording import Outcome, record_failure, record_stop, record_success
from anime_pipeline.rendering.servers import render_servers
from anime_pipeline.rendering.worker_identity import new_worker_id
from anime_pipeline.settings import Settings

_IDLE_SECONDS = 0.2
_DATABASE_WAIT_SECONDS, _DATABASE_TRIES = 1.0, 60
_log = logging.getLogger(__name__)


def drain(
    settings: Settings, job_ids: Collection[int] | None = None, on_event: OnEvent | None = None
) -> DrainReport:
    """Render queued takes (only ``job_ids``, or all) until each has finished or failed for good.

    With ``job_ids``, takes that another worker renders are waited for. ``on_event`` is called from worker
    threads, one call at a time. Stopped by an exception such as KeyboardInterrupt, the worker takes its
    prompts off the servers and its takes go back to the queue. Raises :class:`ComfyError` when no server is
    to be had.
    """
    with session_scope(settings) as session:
        expire(session)
        if not unfinished(session, job_ids):
            return drain_report(session, sorted(job_ids or ()))
    return _Drain(settings, job_ids, on_event).run()


class _Drain:
    """One run of :func:`drain`: its threads and what they share."""

    def __init__(self, settings: Settings, job_ids: Collection[int] | None, on_event: OnEvent | None) -> None:
        self._settings = settings
        self._job_ids = frozenset(job_ids) if job_ids is not None else None
        self._on_event = on_event
        self._store = MediaStore.of(settings)
        self._worker_id = new_worker_id()
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.RLock()
        self._tokens: set[int] = set()
        self._handled: set[int] = set()
        self._done = 0
        self._total = 0
        self._broken: BaseException | None = None

    def run(self) -> DrainReport:
        """Work until nothing is left; the report of every take asked for or taken."""
        with session_scope(self._settings) as session:
            self._total = unfinished(session, self._job_ids)
        with ExitStack() as stack:
            fleet = [FleetServer(self._settings, server) for server in render_servers(self._settings)]
            for server in fleet:
                stack.callback(server.close)
            beat = threading.Thread(target=self._beat, name="render-heartbeat", daemon=True)
            beat.start()
            stack.callback(beat.join)
            stack.callback(self._ended.set)
            stack.callback(self._release)
            # A pool, and no Thread.join here: one that a Ctrl-C interrupts believes ever after that its
            # thread has ended (Python 3.11), and the takes of that thread would not be given back.
            pool = stack.enter_context(
                ThreadPoolExecutor(len(fleet) * self._settings.prompts_in_flight, "render")
            )
            stack.callback(self._stop.set)
            wait(
                [
                    pool.submit(self._work, server)
                    for server in fleet
                    for _ in range(self._settings.prompts_in_flight)
                ]
            )
        if self._broken is not None:
            raise self._broken
        with session_scope(self._settings) as session:
            return drain_report(session, sorted(self._handled if self._job_ids is None else self._job_ids))

    def _work(self, server: FleetServer) -> None:
        database_failures = 0
        while not self._stop.is_set():
            try:
                with session_scope(self._settings) as session:
                    leased = lease(
                        session,
                        self._worker_id,
                        server.server.url,
                        self._settings.lease_seconds,
                        self._job_ids,
                    )
                    left = leased is not None or unfinished(session, self._job_ids) > 0
                if leased is not None and not self._render(server, leased):
                    return
                if not left:
                    return
                database_failures = 0
            except OperationalError as error:
                # The database restarts: leases wait, and what a server renders meanwhile is adopted
                # afterwards.
                database_failures += 1
                if database_failures > _DATABASE_TRIES:
                    self._break(error)
                    return
                _log.warning("the database does not answer: %s", error)
                self._stop.wait(_DATABASE_WAIT_SECONDS)
                continue
            except Exception as error:  # a mistake of ours: end the drain, but release everything first
                self._break(error)
                return
            if leased is None:
                self._stop.wait(_IDLE_SECONDS)

    def _render(self, server: FleetServer, leased: Leased) -> bool:
        """Render one take and record how that went; False when the server is given up."""
        with self._lock:
            self._tokens.add(leased.token)
            self._handled.add(leased.job_id)
        attempt = Attempt(
            self._settings, self._store, server, leased, self._stop.is_set,
            lambda fraction: self._tell("progress", server, leased, fraction=fraction),
        )  # fmt: skip
        try:
            self._tell("adopted" if leased.open_attempt else "started", server, leased)
            outcome = self._outcome(attempt, leased, server)
        except (StoppedError, LeaseLostError) as ended:
            attempt.cancel()
            if isinstance(ended, StoppedError):
                with session_scope(self._settings) as session:
                    record_stop(session, leased, attempt.attempt_id)
            self._tell("stopped" if isinstance(ended, StoppedError) else "superseded", server, leased)
            return True
        finally:
            with self._lock:
                self._tokens.discard(leased.token)
        if outcome == "connection":
            return server.recover(self._stop.is_set)
        return True

    def _outcome(self, attempt: Attempt, leased: Leased, server: FleetServer) -> Outcome | str:
        try:
            rendered = attempt.render()
        except (StoppedError, LeaseLostError, OperationalError):
            raise
        except Exception as error:
            known = error if isinstance(error, ComfyError) else _unexpected(leased, error)
            self._clean_up(attempt, server, known)
            with session_scope(self._settings) as session:
                outcome = record_failure(session, leased, attempt.attempt_id, known)
            self._tell(outcome, server, leased, str(known))
            return "connection" if known.error_class == "connection" else outcome
        with session_scope(self._settings) as session:
            outcome = record_success(session, leased, attempt.attempt_id or 0, rendered)
        self._tell(outcome, server, leased)
        return outcome

    def _clean_up(self, attempt: Attempt, server: FleetServer, error: ComfyError) -> None:
        if error.error_class == "stall":
            attempt.cancel()
        if error.error_class == "out_of_memory":
            try:
                server.client.free()
            except ComfyError:
                _log.info("%s could not be asked to free its memory", server.server.url)

    def _beat(self) -> None:
        """Prolong the leases in hand, and free what others have left, until the drain has ended."""
        while not self._ended.wait(self._settings.lease_seconds / 3):
            with self._lock:
                tokens = set(self._tokens)
            try:
                with session_scope(self._settings) as session:
                    heartbeat(session, tokens, self._settings.lease_seconds)
                    expire(session)
            except OperationalError as error:
                _log.warning("the database does not answer a heartbeat: %s", error)

    def _tell(
        self,
        kind: EventKind,
        server: FleetServer,
        leased: Leased,
        message: str = "",
        fraction: float | None = None,
    ) -> None:
        with self._lock:
            if kind in ("finished", "failed"):
                self._done += 1
            if self._on_event is not None:
                self._on_event(
                    RenderEvent(
                        kind, leased.job_id, leased.cut_key, leased.take_number, server.server.url,
                        self._done, max(self._total, self._done), message, fraction,
                    )
                )  # fmt: skip

    def _release(self) -> None:
        """Give back what a mistake left leased; its open attempts stay for the next worker to adopt."""
        try:
            with session_scope(self._settings) as session:
                release(session, self._worker_id)
        except OperationalError as error:
            _log.warning("the leases of %s end by themselves: %s", self._worker_id, error)

    def _break(self, error: BaseException) -> None:
        _log.error("the drain ends: %r", error)  # said here too, since a Ctrl-C would hide it
        with self._lock:
            self._broken = self._broken or error
        self._stop.set()


def _unexpected(leased: Leased, error: Exception) -> ComfyError:
    """What nobody foresaw costs this take an attempt, and no other take anything."""
    if not isinstance(error, UserError):
        _log.exception("%s: unexpected failure", leased.cut_key)
    return ComfyError("execution", str(error) or type(error).__name__)
