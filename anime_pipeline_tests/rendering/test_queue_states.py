"""Defends the queue against every order of events: leases, deaths, late reports, failures, re-queueing."""

from __future__ import annotations

import uuid

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.film import MediaInfo
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering import queue
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.queue import Leased
from anime_pipeline.rendering.recording import (
    Rendered,
    RenderedFile,
    record_failure,
    record_stop,
    record_success,
)
from anime_pipeline_tests.rendering.studio import Studio, stills

TAKES = 2
RESET = """
    TRUNCATE studio.take_media, studio.render_attempts, studio.render_leases;
    UPDATE render_queue SET status = 'queued', attempts = 0, render_params = '{}';
    UPDATE jobs SET status = 'queued'
"""


def test_no_order_of_events_breaks_the_queue(studio: Studio) -> None:
    studio.import_(stills(TAKES))
    studio.plan()
    stored = MediaStore.of(studio.settings).put_bytes(b"a picture", ".png")
    info = MediaInfo("image", 8, 8, 1, None, "png")
    rendered = Rendered((RenderedFile(stored, info, "frame"),), "0" * 64, 1.0, "preview")

    class Queue(RuleBasedStateMachine):
        """Workers that lease and report at any time; `holders` knows whose report may count."""

        def __init__(self) -> None:
            super().__init__()
            self.leases: list[tuple[Leased, int]] = []
            self.holders: dict[int, int] = {}
            self.finished: set[int] = set()
            self.newest_token = 0
            studio.query_none(RESET)

        def is_current(self, leased: Leased) -> bool:
            return self.holders.get(leased.queue_id) == leased.token

        @rule()
        def lease(self) -> None:
            with session_scope(studio.settings) as session:
                leased = queue.lease(session, "elsewhere:1:1:a", "http://server", 60.0)
                if leased is None:
                    return
                attempt_id = queue.start_attempt(
                    session, leased, "http://server", "preview", str(uuid.uuid4())
                )
            assert leased.queue_id not in self.holders
            assert leased.job_id not in self.finished
            assert leased.token > self.newest_token
            assert attempt_id is not None
            self.newest_token = self.holders[leased.queue_id] = leased.token
            self.leases.append((leased, attempt_id))

        @precondition(lambda self: self.leases)
        @rule(data=st.data())
        def finish(self, data: st.DataObject) -> None:
            leased, attempt_id = data.draw(st.sampled_from(self.leases))
            with session_scope(studio.settings) as session:
                outcome = record_success(session, leased, attempt_id, rendered)
            assert (outcome == "finished") == self.is_current(leased)
            if self.is_current(leased):
                del self.holders[leased.queue_id]
                self.finished.add(leased.job_id)

        @precondition(lambda self: self.leases)
        @rule(data=st.data(), kind=st.sampled_from(["execution", "lost", "validation", "connection"]))
        def fail(self, data: st.DataObject, kind: str) -> None:
            leased, attempt_id = data.draw(st.sampled_from(self.leases))
            with session_scope(studio.settings) as session:
                error = ComfyError(kind, "as the test says")  # type: ignore[arg-type]
                outcome = record_failure(session, leased, attempt_id, error)
                session.execute(text("UPDATE render_queue SET render_params = render_params - 'not_before'"))
            assert (outcome == "superseded") == (not self.is_current(leased))
            if self.is_current(leased):
                del self.holders[leased.queue_id]

        @precondition(lambda self: self.leases)
        @rule(data=st.data())
        def stop(self, data: st.DataObject) -> None:
            leased, attempt_id = data.draw(st.sampled_from(self.leases))
            with session_scope(studio.settings) as session:
                record_stop(session, leased, attempt_id)
            if self.is_current(leased):
                del self.holders[leased.queue_id]

        @precondition(lambda self: self.holders)
        @rule(data=st.data())
        def die(self, data: st.DataObject) -> None:
            queue_id = data.draw(st.sampled_from(sorted(self.holders)))
            with session_scope(studio.settings) as session:
                session.execute(
                    text("UPDATE studio.render_leases SET expires_at = '-infinity' WHERE queue_id = :id"),
                    {"id": queue_id},
                )
                assert queue.expire(session) == 1
            del self.holders[queue_id]

        @rule()
        def plan_again(self) -> None:
            with session_scope(studio.settings) as session:
                queue.requeue(session, list(session.scalars(text("SELECT job_id FROM studio.takes"))))

        @invariant()
        def the_database_agrees(self) -> None:
            rows = studio.query("""
                SELECT q.id, q.job_id, q.status, j.status AS job_status, l.token, q.attempts, q.max_attempts
                FROM render_queue q JOIN jobs j ON j.id = q.job_id
                LEFT JOIN studio.render_leases l ON l.queue_id = q.id
            """)
            assert {row.id: row.token for row in rows if row.token is not None} == self.holders
            assert all(row.status == row.job_status for row in rows)
            assert all((row.status == "processing") == (row.token is not None) for row in rows)
            assert {row.job_id for row in rows if row.status == "completed"} == self.finished
            assert all(row.attempts <= row.max_attempts for row in rows)
            assert {
                row.job_id for row in studio.query("SELECT job_id FROM studio.take_media")
            } == self.finished

    run_state_machine_as_test(
        Queue,
        settings=hypothesis_settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
