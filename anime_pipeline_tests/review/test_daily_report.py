"""Defends the daily report: it tells what the rows of a day say, no more, and the same each time."""

from __future__ import annotations

from datetime import date, datetime, timezone

from anime_pipeline.database.session import session_scope
from anime_pipeline.review.daily_report import DailyReport, daily_report, reported_day, write_report
from anime_pipeline_tests.rendering.studio import Studio, stills

DAY = date(2026, 11, 21)


def reported(studio: Studio, day: date = DAY, zone: str = "Europe/Berlin") -> DailyReport:
    """The report of a day."""
    with session_scope(studio.settings) as session:
        return daily_report(session, studio.settings.model_copy(update={"time_zone": zone}), day)


def a_day(studio: Studio) -> None:
    """Three takes finished and one failed on 21 November, one minute before and after midnight in Berlin."""
    studio.import_(stills(5))
    studio.server.misbehave("fail_render", times=None, match="c0040")
    studio.render()
    last = studio.query("SELECT max(id) AS id FROM jobs")[0].id
    studio.query_none("UPDATE jobs SET completed_at = '2026-11-21 22:59:00'")
    studio.query_none(f"UPDATE jobs SET completed_at = '2026-11-21 23:01:00' WHERE id = {last}")
    studio.query_none(
        "UPDATE studio.render_attempts a SET server_url = 'http://gpu-1:8188', gpu_seconds = "
        "CASE WHEN outcome = 'succeeded' THEN 600 END, finished_at = j.completed_at AT TIME ZONE 'UTC' "
        "FROM jobs j WHERE j.id = a.job_id"
    )
    for job, verdict in enumerate(("failed", "passed", "failed", "passed"), start=1):
        for said in ("incomplete", verdict):  # the newest word on a take counts
            judged(studio, f"j.id = {job}", "cut", "p.cut_key", said)
    judged(studio, "j.id = 1", "episode", "'tiny.e01'", "failed")
    judged(studio, "j.id = 1", "scene", "'tiny.e01.s001'", "incomplete")  # nothing was judged there
    judged(studio, "j.id = 1", "project", "'tiny'", "incomplete", '{"tiny.e01.s001.c0010": [1, "as seen"]}')
    studio.query_none(
        "INSERT INTO studio.gate_overrides (scope_key, phase, verdict_id, verdict, verdict_reason, "
        "judged_sha256, overridden_by, reason, created_at) VALUES ('tiny.e01', 'phase_0_animatic', 1, "
        "'failed', 'one of two', repeat('0', 64), 'Aiko', 'the client | waits', '2026-11-21 12:00:00')"
    )
    studio.query_none(
        "INSERT INTO studio.cut_reviews (cut_id, story_hash, reason, created_at) "
        "SELECT cut_id, repeat('0', 64), 'tried three seeds', '2026-11-21 13:00:00' "
        "FROM studio.cut_profiles WHERE cut_key LIKE '%c0010'"
    )


def judged(studio: Studio, which: str, scope: str, key: str, verdict: str, cuts: str = "{}") -> None:
    """A verdict of 21 November."""
    studio.query_none(f"""
        INSERT INTO studio.gate_verdicts (project_id, scope, scope_key, job_id, phase, verdict, cuts_total,
            cuts_passed, cuts_failed, cuts_unmeasured, thresholds, reason, judged_sha256, judged_cuts,
            created_at)
        SELECT p.project_id, '{scope}', {key}, CASE WHEN '{scope}' = 'cut' THEN j.id END,
            'phase_0_animatic', '{verdict}', 2, 1, 1, 0, '{{}}', 'as the test says', repeat('0', 64),
            '{cuts}', '2026-11-21 12:00:00'
        FROM jobs j JOIN studio.takes t ON t.job_id = j.id JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
        WHERE {which}
    """)


def test_a_day_is_told_whole_and_no_other(studio: Studio) -> None:
    a_day(studio)
    report = reported(studio)
    assert report.totals == {
        "takes_rendered": 3,
        "takes_not_rendered": 1,
        "takes_passed": 2,
        "takes_failed": 2,
        "takes_incomplete": 0,
        "retakes": 0,
        "cuts_to_review": 1,
        "gates_passed": 0,
        "gates_not_passed": 2,
        "overrides": 1,
        "gpu_seconds": 1800.0,
        "takes_waiting": 0,
    }
    assert reported(studio, date(2026, 11, 22)).totals["takes_rendered"] == 1, "after midnight in Berlin"
    assert reported(studio, zone="UTC").totals["takes_rendered"] == 4, "one day in UTC"
    assert (
        reported(studio, date(2026, 11, 20))
        .markdown()
        .startswith("# 2026-11-20 (Europe/Berlin)\n\nNothing happened.\n\n## Servers now\n")
    )


def test_the_text_is_the_rows_and_the_same_each_time(studio: Studio) -> None:
    a_day(studio)
    report = reported(studio)
    lines = report.markdown().splitlines()
    assert lines[0] == "# 2026-11-21 (Europe/Berlin)"
    assert lines[2] == (
        "3 takes rendered in 30 min of GPU time, 1 not rendered, 2 passed, 2 failed, "
        "1 cut for a person to look at, 1 gate overridden."
    )
    assert [line for line in lines if line.startswith("## ")] == [
        "## Rendered",
        "## Not rendered",
        "## Takes judged",
        "## For a person to look at",
        "## Gates",
        "## Gates overridden",
        "## GPU time",
        "## Servers now",
    ]
    assert "| tiny | preview | 3 | 3 | 0 |" in lines
    assert "| phase_0_animatic | 2 | 2 | 0 |" in lines
    assert "| tiny.e01.s001.c0010 | tried three seeds |" in lines
    assert "| tiny.e01 | phase_0_animatic | failed | Aiko | the client \\| waits |" in lines
    assert any(line.startswith("| http://gpu-1:8188 | preview | ") and "30 min" in line for line in lines)
    assert reported(studio).markdown() == report.markdown()
    path = write_report(studio.settings, report)
    assert path == studio.settings.home / "reports" / "2026-11-21.md"
    assert path.read_text(encoding="utf-8") == report.markdown()


def test_yesterday_is_that_of_the_studios_zone(studio: Studio) -> None:
    tokyo = studio.settings.model_copy(update={"time_zone": "Asia/Tokyo"})
    late = datetime(2026, 11, 21, 15, 30, tzinfo=timezone.utc)  # 00:30 on the 22nd in Tokyo
    assert reported_day(tokyo, None, late) == DAY
    assert reported_day(studio.settings, "", late) == date(2026, 11, 20)


def test_a_take_that_an_edit_superseded_is_not_told_as_not_rendered(studio: Studio) -> None:
    studio.import_(stills(1, action_notes="waits"))
    studio.plan()
    studio.import_(stills(1, action_notes="waves"))
    studio.plan()
    assert [row.status for row in studio.query("SELECT status FROM jobs ORDER BY id")] == [
        "cancelled",
        "queued",
    ]
    studio.query_none("UPDATE jobs SET completed_at = '2026-11-21 12:00:00' WHERE status = 'cancelled'")
    totals = reported(studio).totals
    assert (totals["takes_not_rendered"], totals["takes_waiting"]) == (0, 1)
