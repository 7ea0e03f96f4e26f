"""Defends the commands of gates: what stands, what has changed since and why, pictures, and who overrode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Delivery
from anime_pipeline.database.session import engine_for
from anime_pipeline.quality.gates import judge_scope
from anime_pipeline.settings import Settings
from anime_pipeline_tests.cli.in_process import Done, run
from anime_pipeline_tests.quality.studio import EPISODE, HEIGHT, SLUG, WIDTH, Studio

ANIMATIC = "phase_0_animatic"
BY = ("--by", "Aki", "--reason", "the client likes it")


@pytest.fixture
def studio(settings: Settings, tmp_path: Path) -> Iterator[Studio]:
    """An episode of five measured animatics, of which two are not smooth."""
    with Session(engine_for(settings), expire_on_commit=False) as session:
        studio = Studio(session, settings, tmp_path)
        film = np.zeros((10, HEIGHT, WIDTH, 3), np.uint8)
        for number in (10, 20, 30, 40, 50):
            job = studio.take(studio.cut(number, frames=10), film)
            studio.measured(job, motion_smoothness=0.5 if number < 30 else 0.98)
        yield studio


def told(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def gate(studio: Studio, *arguments: str) -> dict[str, Any]:
    """The episode's animatic gate as ``gates show`` tells it."""
    shown = told(run(studio.settings, "gates", "show", EPISODE, "--json", *arguments))
    return next((one for one in shown if one["phase"] == ANIMATIC), {})


def test_showing_tells_what_is_now_and_what_made_the_kept_verdict_stale(studio: Studio) -> None:
    assert gate(studio)["kept"] is None
    judge_scope(studio.session, EPISODE, ANIMATIC)
    studio.session.commit()
    before = gate(studio)
    assert (before["state"], before["kept"]["stale"], before["cuts_passed"]) == ("failed", False, 3)
    assert gate(studio, "--stale") == {}

    studio.measured(studio.take(f"{EPISODE}.s001.c0010"))
    after = gate(studio, "--stale")
    assert (after["state"], after["kept"]["verdict"], after["kept"]["stale"]) == ("passed", "failed", True)
    assert after["kept"]["changes"] == [{"cut_key": f"{EPISODE}.s001.c0010", "what": "take 1 → take 2"}]
    assert "failed, now stale" in run(studio.settings, "gates", "show", EPISODE).stdout
    explained = run(studio.settings, "gates", "explain", EPISODE, ANIMATIC).stdout
    assert f"failed, now stale: {EPISODE}.s001.c0010: take 1 → take 2\n" in explained


def test_explaining_names_each_failing_cut_with_a_picture_of_its_worst_frame(studio: Studio) -> None:
    explained = told(run(studio.settings, "gates", "explain", EPISODE, ANIMATIC, "--json"))
    assert [entry["cut_key"][-5:] for entry in explained["failing"]] == ["c0010", "c0020"]
    entry = explained["failing"][0]
    assert (entry["metric"], entry["value"], entry["threshold"], entry["worst_frame"]) == (
        "motion_smoothness", 0.5, 0.95, 7,
    )  # fmt: skip
    assert Path(entry["picture"]["path"]).read_bytes().startswith(b"\x89PNG")
    assert len(entry["picture"]["media_sha256"]) == 64
    text = run(studio.settings, "gates", "explain", EPISODE).stdout
    assert f"anime-pipeline gates override {EPISODE} {ANIMATIC} --by NAME --reason TEXT" in text
    bare = told(run(studio.settings, "gates", "explain", EPISODE, ANIMATIC, "--no-pictures", "--json"))
    assert bare["failing"][0]["picture"] is None


def test_explaining_an_incomplete_gate_gives_the_command_that_mends_it(studio: Studio) -> None:
    studio.cut(60)
    explained = told(run(studio.settings, "gates", "explain", EPISODE, ANIMATIC, "--json"))
    assert explained["to_mend"][0] == f"anime-pipeline render {EPISODE}"
    studio.take(studio.cut(10, scene=2))
    scene = told(run(studio.settings, "gates", "explain", f"{EPISODE}.s002", ANIMATIC, "--json"))
    assert scene["to_mend"][0] == f"anime-pipeline measure {EPISODE}.s002"


def test_a_gate_is_overridden_logged_and_withdrawn(studio: Studio) -> None:
    made = told(run(studio.settings, "gates", "override", EPISODE, ANIMATIC, *BY, "--json"))
    assert gate(studio)["state"] == "overridden"
    assert gate(studio)["override"]["overridden_by"] == "Aki"
    assert "overridden" in run(studio.settings, "gates", "show", EPISODE).stdout
    assert f"Override {made['id']}" in run(studio.settings, "gates", "explain", EPISODE, ANIMATIC).stdout

    withdraw = ("gates", "override", "--withdraw", str(made["id"]), "--by", "Mo", "--reason", "no")
    assert run(studio.settings, *withdraw).returncode == 0
    assert gate(studio)["state"] == "failed"
    (logged,) = told(run(studio.settings, "gates", "overrides", SLUG, "--json"))
    assert (logged["state"], logged["overridden_by"], logged["withdrawn_by"]) == ("withdrawn", "Aki", "Mo")
    table = run(studio.settings, "gates", "overrides").stdout
    assert "Aki" in table
    assert "Mo" in table


def test_a_delivery_waits_for_its_gate_and_says_who_overrode_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Dagster's runs are another test's; here is what the command asks of them, and asks itself.
    asked: list[str] = []
    monkeypatch.setattr(
        "anime_pipeline.cli.production.run_jobs", lambda _, steps, *__: asked.extend(steps) or []
    )
    refused = run(studio.settings, "deliver", EPISODE)
    assert refused.returncode == 1
    assert asked == ["sync", f"assemble_scenes={EPISODE}.s001"], "a master that waits costs no other one"
    assert f"{EPISODE} is failed in {ANIMATIC}" in refused.stderr
    assert "--draft" in refused.stderr
    assert studio.session.query(Delivery).count() == 0
    assert told(run(studio.settings, "deliver", EPISODE, "--draft", "--json"))[0]["overrides"] == []

    run(studio.settings, "gates", "override", EPISODE, ANIMATIC, *BY)
    (film,) = told(run(studio.settings, "deliver", EPISODE, "--json"))
    assert film["overrides"] == [f"{ANIMATIC} overridden by Aki: the client likes it"]
    assert "overridden by Aki" in " ".join(run(studio.settings, "deliver", EPISODE).stdout.split())
    kept = studio.session.query(Delivery).filter_by(kind="master").one()
    assert [(one["by"], one["reason"]) for one in kept.overrides] == [("Aki", "the client likes it")]


def test_a_scene_is_delivered_as_its_reel_alone(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate of its episode is shut, and nothing of the episode is built or asked."""
    asked: list[str] = []
    monkeypatch.setattr(
        "anime_pipeline.cli.production.run_jobs", lambda _, steps, *__: asked.extend(steps) or []
    )
    scene = f"{EPISODE}.s001"
    (draft,) = told(run(studio.settings, "deliver", scene, "--draft", "--json"))
    assert (asked, Path(draft["path"]).name) == ([], f"{scene}.draft.mp4")
    assert studio.session.query(Delivery).count() == 0
    (reel,) = told(run(studio.settings, "deliver", scene, "--json"))
    assert asked == ["sync", f"assemble_scenes={scene}"]
    assert (reel["scope_key"], Path(reel["path"]).name) == (scene, f"{scene}.mp4")
    assert [(one.scope_key, one.kind) for one in studio.session.query(Delivery)] == [(scene, "reel")]
    assert "a reel asks none" in " ".join(run(studio.settings, "deliver", scene).stdout.split())


def test_a_cut_alone_is_no_film(studio: Studio) -> None:
    refused = run(studio.settings, "deliver", f"{EPISODE}.s001.c0010")
    assert refused.returncode == 1
    assert f"anime-pipeline deliver {EPISODE}.s001" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("override", EPISODE, ANIMATIC, "--reason", "x"), "--by NAME"),
        (("override", EPISODE, ANIMATIC, "--by", "Aki"), "--reason TEXT"),
        (("override",), "which gate?"),
        (("override", EPISODE, "--withdraw", "1"), "by its id alone"),
        (("override", "--withdraw", "99", *BY), "no override 99"),
        (("threshold", "set", SLUG, "motion_smoothness_minimum", "0.5"), "--by NAME"),
        (("threshold", "set", SLUG, "motion", "0.5", "--by", "Mo"), "gates thresholds"),
        (("thresholds", "other"), "no project is called other"),
    ],
)
def test_a_mistake_is_told_in_words(studio: Studio, arguments: tuple[str, ...], said: str) -> None:
    done = run(studio.settings, "gates", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_moved_threshold_shows_at_once_and_in_the_log(studio: Studio) -> None:
    moved = ("gates", "threshold", "set", SLUG, "motion_smoothness_minimum", "0.4", "--by", "Mo")
    assert told(run(studio.settings, *moved, "--reason", "a sketch", "--json"))["new"] == 0.4
    assert gate(studio)["state"] == "passed"
    own = {
        one["gate_name"]: one["own"]
        for one in told(run(studio.settings, "gates", "thresholds", SLUG, "--json"))
    }
    assert own["motion_smoothness_minimum"] == 0.4
    unset = ("gates", "threshold", "unset", SLUG, "motion_smoothness_minimum", "--by", "Mo")
    assert "0.4 → the default" in run(studio.settings, *unset).stdout
    assert gate(studio)["state"] == "failed"
    default = ("gates", "threshold", "default", "motion_smoothness_minimum", "0.3", "--by", "Mo")
    assert run(studio.settings, *default).returncode == 0
    assert gate(studio)["state"] == "passed"
    log = told(run(studio.settings, "gates", "threshold", "log", "--json"))
    assert [(one["project"], one["new_value"], one["changed_by"]) for one in log] == [
        (None, 0.3, "Mo"), (SLUG, None, "Mo"), (SLUG, 0.4, "Mo"),
    ]  # fmt: skip
