"""The worker: keeps prompts in flight on every server until the queue is empty, and loses none of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.desk import Desk
from anime_pipeline.rendering.events import DrainReport, OnEvent, drain_report
from anime_pipeline.rendering.fleet import FleetServer
from anime_pipeline.rendering.patience import DATABASE_GONE, patiently
from anime_pipeline.rendering.queue import expire, heartbeat, release, unfinished
from anime_pipeline.rendering.registry import Standing, added_urls, enlist, record_facts, standing, unblock
from anime_pipeline.rendering.servers import RenderServer, all_answering, no_server, render_servers
from anime_pipeline.rendering.turns import work
from anime_pipeline.settings import Settings

_STAFF_SECONDS = 5.0
"""How soon a server that was added, resumed or started while takes wait is given some."""
_MOST_THREADS = 256
_log = logging.getLogger(__name__)


def drain(
    settings: Settings,
    job_ids: Collection[int] | None = None,
    on_event: OnEvent | None = None,
    until: datetime | None = None,
) -> DrainReport:
    """Render queued takes (only ``job_ids``, or all) until each has finished or failed for good.

    With ``job_ids``, takes that another worker renders are waited for. ``on_event`` is called from worker
    threads, one call at a time. Stopped by an exception such as KeyboardInterrupt, the worker takes its
    prompts off the servers and its takes go back to the queue. After ``until`` (aware) no take is begun; what
    is being rendered then is finished, and the rest is reported as waiting. Raises :class:`ComfyError` when
    no server is to be had.
    """

    def nothing_left() -> DrainReport | None:
        with session_scope(settings) as session:
            expire(session)
            left = unfinished(session, job_ids)
            return None if left else drain_report(session, sorted(job_ids or ()))

    return patiently(nothing_left) or _Drain(settings, job_ids, on_event, until).run()


class _Drain:
    """One run of :func:`drain`: its servers and the threads on them."""

    def __init__(
        self,
        settings: Settings,
        job_ids: Collection[int] | None,
        on_event: OnEvent | None,
        until: datetime | None,
    ) -> None:
        self._settings = settings
        self._desk = Desk(settings, job_ids, on_event, until)
        self._ended = threading.Event()
        self._fleet: dict[str, FleetServer] = {}
        self._threads: dict[str, list[Future[None]]] = {}

    def run(self) -> DrainReport:
        """Work until nothing is left; the report of every take asked for or taken."""
        desk = self._desk
        with ExitStack() as stack:
            stack.callback(self._close)
            patiently(self._gather)
            beat = threading.Thread(target=self._beat, name="render-heartbeat", daemon=True)
            beat.start()
            stack.callback(beat.join)
            stack.callback(self._ended.set)
            stack.callback(self._release)
            # A pool, and no Thread.join here: one that a Ctrl-C interrupts believes ever after that its
            # thread has ended (Python 3.11), and the takes of that thread would not be given back.
            pool = stack.enter_context(ThreadPoolExecutor(_MOST_THREADS, "render"))
            stack.callback(desk.stop.set)
            patiently(lambda: self._staff(pool))
            while busy := self._busy():
                if wait(busy, timeout=_STAFF_SECONDS).not_done:
                    self._look_around(pool)
        if desk.broken is not None:
            raise desk.broken
        return patiently(self._report)

    def _gather(self) -> None:
        """Find the servers that answer, and note what each can do."""
        with session_scope(self._settings) as session:
            self._desk.total = unfinished(session, self._desk.job_ids)
            enlist(session, self._settings.comfyui_server_urls, "settings")
            added = added_urls(session)
        if not added and not self._settings.comfyui_server_urls:
            for server in render_servers(self._settings):
                self._join(server)
            return
        reasons = self._join_those_that_answer([*self._settings.comfyui_server_urls, *added])
        if not self._fleet:
            raise no_server(reasons)

    def _join_those_that_answer(self, urls: Collection[str]) -> list[str]:
        """Add servers that are not there yet; why the others cannot be."""
        reasons = []
        for server in all_answering(sorted(set(urls) - set(self._fleet))):
            if isinstance(server, RenderServer):
                self._join(server)
            else:
                reasons.append(str(server))
        return reasons

    def _join(self, server: RenderServer) -> None:
        one = self._fleet[server.url] = FleetServer(self._settings, server)
        if server.embedded:
            return
        try:
            facts = one.facts()
        except ComfyError as error:
            _log.warning("%s answers, but does not say what it can do: %s", server.url, error)
            return
        with session_scope(self._settings) as session:
            record_facts(session, server.url, facts)

    def _look_around(self, pool: ThreadPoolExecutor) -> None:
        """Servers may have been added, resumed or started since."""
        try:
            with session_scope(self._settings) as session:
                enlist(session, self._settings.comfyui_server_urls, "settings")
                added = added_urls(session)
            self._join_those_that_answer([*self._settings.comfyui_server_urls, *added])
            self._staff(pool)
        except DATABASE_GONE as error:
            _log.warning("the database does not answer: %s", error)

    def _staff(self, pool: ThreadPoolExecutor) -> None:
        """Let threads work on each server that may be used; take prompts off one that is paused."""
        for name, server in self._fleet.items():
            stands = self._standing(server)
            server.paused.set() if stands is None or stands.state == "paused" else server.paused.clear()
            if stands is None or stands.state in ("paused", "draining"):
                continue
            if stands.state == "blocked" and not self._is_back(server, stands):
                continue
            wanted = stands.concurrency or self._settings.prompts_in_flight
            alive = self._at_work(name)
            alive += [pool.submit(work, self._desk, server) for _ in range(wanted - len(alive))]
            self._threads[name] = alive
        self._desk.staffed = [self._fleet[name].url for name in self._threads if self._at_work(name)]

    def _standing(self, server: FleetServer) -> Standing | None:
        if server.server.embedded:
            return Standing()
        with session_scope(self._settings) as session:
            return standing(session, server.url)

    def _is_back(self, server: FleetServer, stands: Standing) -> bool:
        if stands.probe_seconds > 0 or not server.answers():
            return False
        with session_scope(self._settings) as session:
            unblock(session, server.url)
        return True

    def _busy(self) -> list[Future[None]]:
        return [thread for name in self._threads for thread in self._at_work(name)]

    def _at_work(self, name: str) -> list[Future[None]]:
        return [thread for thread in self._threads.get(name, []) if not thread.done()]

    def _beat(self) -> None:
        """Prolong the leases in hand, and free what others have left, until the drain has ended."""
        while not self._ended.wait(self._settings.lease_seconds / 3):
            try:
                with session_scope(self._settings) as session:
                    heartbeat(session, self._desk.tokens(), self._settings.lease_seconds)
                # In a transaction of its own: who waits here for another that frees leases must hold none.
                with session_scope(self._settings) as session:
                    expire(session)
            except DATABASE_GONE as error:
                _log.warning("the database does not answer a heartbeat: %s", error)

    def _report(self) -> DrainReport:
        desk = self._desk
        with session_scope(self._settings) as session:
            return drain_report(session, sorted(desk.handled if desk.job_ids is None else desk.job_ids))

    def _release(self) -> None:
        """Give back what a mistake left leased; its open attempts stay for the next worker to adopt."""

        def released() -> None:
            with session_scope(self._settings) as session:
                release(session, self._desk.worker_id)

        try:
            patiently(released)
        except DATABASE_GONE as error:
            _log.warning("the leases of %s end by themselves: %s", self._desk.worker_id, error)

    def _close(self) -> None:
        for server in self._fleet.values():
            server.close()
