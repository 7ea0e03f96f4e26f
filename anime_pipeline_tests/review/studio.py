"""Verdicts and measurements of a studio's takes, as judging and measuring leave them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.takes import TakeInfo, list_takes
from anime_pipeline.review.scoring import TakeScore, scores_of
from anime_pipeline.review.selection import choose_take, release_choice, select_best
from anime_pipeline_tests.rendering.studio import Studio, production

PASSING = {
    "media_contract": 1.0,
    "temporal_flicker": 0.95,
    "motion_smoothness": 0.97,
    "dynamic_degree": 0.002,
}


def videos(count: int, takes: int = 3, **scene: Any) -> dict[str, Any]:
    """A production of one scene of so many videos, each with ``takes`` takes."""
    data = production()
    data["episodes"][0]["scenes"][0] |= {
        **scene,
        "cuts": [
            {"number": 10 * n, "kind": "video", "duration_frames": 4, "cast": ["Toru"], "takes": takes}
            for n in range(1, count + 1)
        ],
    }
    return data


def takes_of(studio: Studio, key: str | None = None) -> list[TakeInfo]:
    """The takes of a cut, or of all."""
    with session_scope(studio.settings) as session:
        return list_takes(session, studio.keys() if key is None else [key])


def judge(studio: Studio, job_id: int, verdict: str = "passed") -> None:
    """Give a take a verdict."""
    with session_scope(studio.settings) as session:
        session.execute(
            text("""
                INSERT INTO studio.gate_verdicts (project_id, scope, scope_key, job_id, phase, verdict,
                    cuts_total, cuts_passed, cuts_failed, cuts_unmeasured, thresholds, reason, judged_sha256)
                SELECT p.project_id, 'cut', p.cut_key, t.job_id, 'phase_0_animatic', :verdict,
                    1, 0, 0, 0, '{}', 'as the test says', repeat('0', 64)
                FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id) WHERE t.job_id = :job_id
            """),
            {"verdict": verdict, "job_id": job_id},
        )


def measure(studio: Studio, job_id: int, **values: float | None) -> None:
    """Measure a take: what passes, but for these values; None is not measurable."""
    with session_scope(studio.settings) as session:
        for metric, value in {**PASSING, **values}.items():
            session.execute(
                text("""
                    INSERT INTO studio.measurements
                        (job_id, metric_name, state, value, reason, backend, backend_version)
                    VALUES (:job_id, :metric, :state, :value, :reason, 'test', '1')
                    ON CONFLICT (job_id, metric_name) DO UPDATE
                    SET state = excluded.state, value = excluded.value, reason = excluded.reason
                """),
                {
                    "job_id": job_id,
                    "metric": metric,
                    "value": value,
                    "state": "not_measurable" if value is None else "measured",
                    "reason": "too short" if value is None else None,
                },
            )


def passed(studio: Studio, job_id: int, **values: float | None) -> None:
    """A take that is measured and passed."""
    measure(studio, job_id, **values)
    judge(studio, job_id)


def best(studio: Studio, keys: list[str] | None = None) -> list[int | None]:
    """Select, of all cuts or these; the selected jobs in the order of cuts."""
    with session_scope(studio.settings) as session:
        return list(select_best(session, studio.settings, keys or studio.keys()).values())


def choose(studio: Studio, job_id: int, by: str = "Aiko", note: str | None = None) -> None:
    """A person chooses a take."""
    with session_scope(studio.settings) as session:
        choose_take(session, job_id, by, note)


def release(studio: Studio, key: str) -> bool:
    """Give the choice back."""
    with session_scope(studio.settings) as session:
        return release_choice(session, key)


def selected(studio: Studio) -> list[int]:
    """The selected takes, in the order of cuts."""
    return [take.job_id for take in takes_of(studio) if take.selected]


def scores(studio: Studio) -> dict[int, TakeScore]:
    """The stored scores of all takes."""
    with session_scope(studio.settings) as session:
        return scores_of(session, [take.job_id for take in list_takes(session, studio.keys())])
