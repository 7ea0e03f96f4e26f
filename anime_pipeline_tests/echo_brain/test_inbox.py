"""Defends the inbox: each message is followed once, with its effect, and nothing genuine is thrown away."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy.exc import OperationalError

from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain import checks, handlers, inbox
from anime_pipeline.echo_brain.delivery import deliver
from anime_pipeline.echo_brain.errors import (
    ForgedError,
    LateError,
    MessageError,
    NotConfiguredError,
    ReplayedError,
    TooLargeError,
)
from anime_pipeline.echo_brain.heartbeat import beat
from anime_pipeline.echo_brain.inbox import Receipt
from anime_pipeline.errors import UserError
from anime_pipeline.quality.engines.protocol import Provenance, Score
from anime_pipeline.quality.likeness import Likeness
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.scores import judge_takes
from anime_pipeline.review.selection import select_best
from anime_pipeline_tests.echo_brain.messages import event, signed, task
from anime_pipeline_tests.echo_brain.supervising import SECRET, RunningSupervisor, TurnedClock
from anime_pipeline_tests.rendering.studio import Studio, production

SCENE = "tiny.e01.s001"
STILL, OTHER, LOOP, VIDEO = (f"{SCENE}.c00{number}0" for number in (1, 2, 3, 4))


class House:
    """A studio that has a supervisor's secret, and whoever brings it messages."""

    def __init__(self, studio: Studio, clock: TurnedClock) -> None:
        self.studio, self.clock = studio, clock
        self.studio.settings = studio.settings.model_copy(update={"echo_brain_secret": SECRET})

    def take(self, message: object, source: inbox.Source = "webhook") -> Receipt:
        """What came of a message that is sent now."""
        self.clock.turn(microseconds=10)
        return self.bring(*signed(message, self.clock), source=source)

    def bring(self, body: bytes, headers: dict[str, str], source: inbox.Source = "webhook") -> Receipt:
        """What came of these bytes."""
        with session_scope(self.studio.settings) as session:
            return inbox.receive(session, self.studio.settings, source, body, headers, self.clock)

    def query(self, sql: str, **values: Any) -> list[Any]:
        return self.studio.query(sql, **values)

    def kept(self) -> dict[str, str]:
        """The messages that are kept, with their states."""
        return {row.event_id: row.state for row in self.query("SELECT event_id, state FROM studio.inbox")}


@pytest.fixture
def house(studio: Studio, clock: TurnedClock) -> House:
    """A studio with a story of four cuts."""
    studio.import_(production())
    return House(studio, clock)


@pytest.fixture
def rendered(house: House) -> House:
    """The same with its cuts rendered."""
    house.studio.render()
    return house


def job_of(house: House, cut_key: str) -> int:
    """The newest take of a cut."""
    rows = house.query(
        "SELECT max(job_id) AS job_id FROM studio.takes JOIN studio.cut_profiles USING (cut_id) "
        "WHERE cut_key = :key",
        key=cut_key,
    )
    return int(rows[0].job_id)


# What is not taken


def test_forged_late_and_oversized_ones_are_refused_and_nothing_is_kept(house: House) -> None:
    message = event("story.updated", {"project_id": 1})
    body, headers = signed(message, house.clock)
    with pytest.raises(ForgedError):
        house.bring(body, {})
    with pytest.raises(ForgedError):
        house.bring(*signed(message, house.clock, "a secret of someone else"))
    with pytest.raises(ForgedError):
        house.bring(body.replace(b"1", b"2"), headers)
    house.clock.turn(seconds=301)
    with pytest.raises(LateError, match="301 s ago"):
        house.bring(body, headers)
    with pytest.raises(TooLargeError):
        house.take(event("story.updated", {"pad": "x" * 300_000}))
    assert house.kept() == {}


def test_without_a_secret_nothing_is_trusted(house: House) -> None:
    for secret in (None, "short"):
        house.studio.settings = house.studio.settings.model_copy(update={"echo_brain_secret": secret})
        with pytest.raises(NotConfiguredError) as caught:
            house.take(event("story.updated", {"project_id": 1}))
        assert "openssl rand" in (caught.value.remedy or "")


def test_a_replay_is_refused_and_a_redelivery_is_answered_as_before(house: House) -> None:
    message = event("render.requested", {"cut_keys": [STILL]})
    body, headers = signed(message, house.clock)
    first = house.bring(body, headers)
    assert first.outcome["queued"] == 1
    with pytest.raises(ReplayedError, match="signature"):
        house.bring(body, headers)
    redelivered = signed(message, house.clock)
    for turn in range(2):
        house.clock.turn(seconds=1)
        redelivered = signed(message, house.clock)
        again = house.bring(*redelivered)
        assert (again.duplicate, again.outcome) == (True, first.outcome), turn
    for old in ((body, headers), redelivered):
        with pytest.raises(ReplayedError, match="signature"):
            house.bring(*old)
    with pytest.raises(ReplayedError, match="another content"):
        house.take({**message, "data": {"cut_keys": [OTHER]}})
    assert len(house.query("SELECT 1 FROM jobs")) == 1
    assert house.query("SELECT receipts FROM studio.inbox")[0].receipts == 3


def test_one_message_at_once_in_two_threads_is_followed_once(house: House) -> None:
    message = event("render.requested", {"scope": "tiny"})
    receipts: list[Receipt] = []
    bodies = []
    for _ in range(4):
        house.clock.turn(microseconds=10)
        bodies.append(signed(message, house.clock))
    threads = [threading.Thread(target=lambda one=one: receipts.append(house.bring(*one))) for one in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(receipt.duplicate for receipt in receipts) == [False, True, True, True]
    assert len(house.query("SELECT 1 FROM jobs")) == 4


# What is kept


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "no JSON object"),
        (b'{"event_id": "e", "event_type": "story.updated", "data": {"x": NaN}}', "no JSON"),
        (b'{"event_id": "e", "event_type": "story.updated", "data": {"x": 1e999}}', "no JSON"),
        (b'{"event_id": "e", "event_type": "story.updated", "data": {"x": "\\ud800"}}', "no JSON"),
        (b'{"event_id": "e", "event_type": "story.updated", "data": {"x": "\\u0000"}}', "NUL"),
        (b"[" * 100_000, "no JSON"),
        (b'{"event_type": "story.updated", "data": {}}', "event_id"),
        (b'{"event_id": "e", "event_type": "story.updated", "data": {}, "dat": 1}', "dat"),
        (b'{"event_id": "e", "event_type": "story.updated", "data": {"project": 1}}', "project_id"),
        (
            b'{"event_id": "e", "event_type": "story.updated", "data": {"project_id": 4711}}',
            "no project 4711",
        ),
        (b'{"event_id": "e", "event_type": "render.requested", "data": {}}', "exactly one of scope"),
        (
            b'{"event_id": "e", "event_type": "render.requested", "data": {"scope": "Tiny!"}}',
            "names no project",
        ),
        (b'{"event_id": "e", "event_type": "render.requested", "data": {"cut_ids": [4711]}}', "no cut 4711"),
        (
            b'{"event_id": "e", "event_type": "quality.decision", '
            b'"data": {"job_id": 1, "decision": "maybe"}}',
            "decision",
        ),
        (
            b'{"event_id": "e", "event_type": "quality.decision", '
            b'"data": {"job_id": 4711, "decision": "approved"}}',
            "no take",
        ),
    ],
)
def test_what_cannot_be_followed_is_kept_with_the_reason(house: House, body: bytes, said: str) -> None:
    receipt = house.take(body)
    assert receipt.state == "refused"
    assert said in (receipt.reason or "")
    assert list(house.kept().values()) == ["refused"]
    assert house.query("SELECT 1 FROM jobs") == []


def test_an_unknown_kind_is_kept_and_told(house: House) -> None:
    receipt = house.take(event("budget.raised", {"by": 100}))
    assert receipt.state == "unknown"
    assert "render.requested" in (receipt.reason or "")
    assert house.take(task("story_bible_update", {}), "task").state == "unknown"
    with session_scope(house.studio.settings) as session:
        assert [message.body for message in inbox.list_messages(session, ["unknown"])] != []


def test_what_was_refused_is_followed_when_it_can_be(house: House) -> None:
    message = event("render.requested", {"cut_keys": [f"{SCENE}.c0050"]})
    assert house.take(message).state == "refused"
    told = production()
    told["episodes"][0]["scenes"][0]["cuts"].append({"number": 50, "kind": "still"})
    house.studio.import_(told)
    with session_scope(house.studio.settings) as session:
        receipt = inbox.retry(session, house.studio.settings, message["event_id"], house.clock)
    assert (receipt.state, receipt.outcome["queued"]) == ("applied", 1)
    with session_scope(house.studio.settings) as session, pytest.raises(UserError, match="applied already"):
        inbox.retry(session, house.studio.settings, message["event_id"], house.clock)


def test_a_mistake_of_ours_is_kept_as_failed_and_done_when_it_is_sent_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = event("render.requested", {"cut_keys": [STILL]})

    def broken(*_: object) -> Any:
        raise ZeroDivisionError("oh")

    with monkeypatch.context() as patched:
        patched.setitem(handlers.HANDLERS, "render.requested", broken)
        with pytest.raises(ZeroDivisionError):
            house.take(message)
    assert house.kept() == {message["event_id"]: "failed"}
    assert house.take(message).state == "applied"
    assert house.kept() == {message["event_id"]: "applied"}


def test_a_database_that_goes_away_leaves_neither_message_nor_effect(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = event("render.requested", {"cut_keys": [STILL]})
    follow = handlers.HANDLERS["render.requested"]

    def cut_off(*values: Any) -> Any:
        follow(*values)
        raise OperationalError("COMMIT", {}, Exception("gone"))

    with monkeypatch.context() as patched:
        patched.setitem(handlers.HANDLERS, "render.requested", cut_off)
        with pytest.raises(OperationalError):
            house.take(message)
    assert house.kept() == {}
    assert house.query("SELECT 1 FROM jobs") == []
    assert house.take(message).state == "applied"


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=9), one, max_size=3),
            max_leaves=10,
        ),
        st.fixed_dictionaries(
            {"event_id": st.text(max_size=200), "event_type": st.sampled_from(sorted(handlers.HANDLERS))},
            optional={
                "data": st.dictionaries(
                    st.sampled_from(
                        ["project_id", "job_id", "decision", "cut_ids", "scope", "prompt", "character_id",
                         "approved_reference", "affected_characters", "suggestions", "cast", "job_type"]
                    ),
                    st.one_of(st.integers(-2, 2**40), st.text(max_size=10), st.lists(st.integers(0, 5)),
                              st.sampled_from(["approved", "reject", "regenerate", "tiny", "../../etc"])),
                )
            },
        ),
    )
)  # fmt: skip
def test_whatever_is_signed_is_followed_or_refused_in_words(house: House, message: object) -> None:
    receipts = []
    for source in ("webhook", "task"):
        with contextlib.suppress(MessageError):
            receipts.append(house.take(message, source))  # type: ignore[arg-type]
    assert all(receipt.state == "applied" or receipt.reason for receipt in receipts)


# What messages do


def test_renders_are_queued_rendered_and_told_under_their_task(
    house: House, supervisor: RunningSupervisor
) -> None:
    house.studio.settings = house.studio.settings.model_copy(update={"echo_brain_url": supervisor.url})
    settings, clock = house.studio.settings, house.clock
    beat(settings, clock)
    receipt = house.take(task("still_image", {"scope": "tiny"}, priority=8), "task")
    assert receipt.outcome["queued"] == 2
    assert [row.priority for row in house.query("SELECT priority FROM render_queue")] == [3, 3]
    assert [p["cut_key"] for p in receipt.outcome["planned"]] == [STILL, OTHER]
    assert len(house.studio.drain().finished) == 2
    assert deliver(settings, clock=clock).delivered == 2
    told = supervisor.received()
    assert {one["event_type"] for one in told} == {"job.completed"}
    assert {one["task_id"] for one in told} == {receipt.task_id}
    assert {one["data"]["cut_key"] for one in told} == {STILL, OTHER}

    # A second task for what is finished is told at once.
    other = house.take(task("still_image", {"cut_keys": [STILL]}), "task")
    assert other.outcome["current"] == 1
    assert deliver(settings, clock=clock).delivered == 1
    assert supervisor.received()[-1]["task_id"] == other.task_id

    # What is measured is told too, for each task that asked.
    with session_scope(settings) as session:
        job_ids = [row.job_id for row in house.query("SELECT job_id FROM studio.takes")]
        measure_takes(session, settings, job_ids)
    with session_scope(settings) as session:
        judge_takes(session, job_ids)
    assert deliver(settings, clock=clock).left == 0
    judged = [one for one in supervisor.received() if one["event_type"].startswith("quality.")]
    assert {one["data"]["phase"] for one in judged} == {"phase_0_animatic"}
    first = next(one["job_id"] for one in told if one["data"]["cut_key"] == STILL)
    tasks = {one["task_id"] for one in judged if one["job_id"] == first}
    assert tasks == {receipt.task_id, other.task_id}


def test_a_render_of_no_story_is_queued_too(house: House) -> None:
    (project,) = house.query("SELECT project_id FROM studio.project_profiles")
    data = {"project_id": project.project_id, "job_type": "still_image", "prompt": "a lamp in the rain"}
    receipt = house.take(event("render.requested", data, task_id="t-1"))
    (row,) = house.query("SELECT job_id, task_id FROM studio.echo_task_jobs")
    assert (row.job_id, row.task_id) == (receipt.outcome["job_id"], "t-1")
    (mika,) = house.query("SELECT id FROM characters WHERE name = 'Mika'")
    sheet = {"prompt": "in the raincoat", "cast": [{"character_id": mika.id, "variation": "raincoat"}]}
    drawn = house.take(task("character_sheet", sheet, project_id=project.project_id), "task")
    assert drawn.state == "applied"
    assert len(house.studio.drain().finished) == 2


def test_only_cuts_of_the_asked_kind_are_rendered(house: House) -> None:
    receipt = house.take(task("full_video", {"scope": "tiny"}), "task")
    assert [one["cut_key"] for one in receipt.outcome["planned"]] == [VIDEO]
    refused = house.take(task("full_video", {"cut_keys": [STILL]}), "task")
    assert "None of these cuts is rendered as full_video" in (refused.reason or "")


def test_a_character_is_approved_with_a_picture_of_the_project(house: House, tmp_path: Path) -> None:
    (mika,) = house.query("SELECT id, status FROM characters WHERE name = 'Mika'")
    picture = house.studio.folder / "mika.png"
    Image.new("RGB", (32, 32), (10, 200, 90)).save(picture)
    data = {"character_id": mika.id, "approved_reference": "mika.png"}
    receipt = house.take(event("character.approved", data))
    assert receipt.state == "applied", receipt.reason
    (after,) = house.query("SELECT status FROM characters WHERE name = 'Mika'")
    (anchor,) = house.query("SELECT image_path FROM character_anchors WHERE character_id = :id", id=mika.id)
    assert (after.status, anchor.image_path) == ("approved", receipt.outcome["image_path"])
    house.studio.check_media_is_whole()

    # The same picture by its path or by its place in the store is the same anchor.
    for reference in (str(picture), anchor.image_path):
        again = house.take(event("character.approved", {**data, "approved_reference": reference}))
        assert again.outcome["anchor_id"] == receipt.outcome["anchor_id"]


@pytest.mark.parametrize(
    "reference",
    ["../outside.png", "/etc/passwd", "link.png", "missing.png", "broken.png", "drawing.svg", ".",
     "ab/" + "a" * 64 + ".png"],
)  # fmt: skip
def test_a_picture_from_elsewhere_is_refused(house: House, tmp_path: Path, reference: str) -> None:
    folder = house.studio.folder / "story"
    folder.mkdir()
    (house.studio.folder / "production.yaml").rename(folder / "production.yaml")
    house.studio.folder = folder
    house.studio.import_(production())
    Image.new("RGB", (8, 8)).save(folder.parent / "outside.png")
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    (folder / "drawing.svg").write_text("<svg><script>alert(1)</script></svg>")
    (mika,) = house.query("SELECT id FROM characters WHERE name = 'Mika'")
    receipt = house.take(
        event("character.approved", {"character_id": mika.id, "approved_reference": reference})
    )
    assert receipt.state == "refused"
    assert house.query("SELECT 1 FROM character_anchors") == []
    assert house.query("SELECT status FROM characters WHERE name = 'Mika'")[0].status == "draft"


def test_a_picture_is_checked_where_faces_can_be_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (mika,) = house.query("SELECT id FROM characters WHERE name = 'Mika'")
    Image.new("RGB", (32, 32), (10, 200, 90)).save(house.studio.folder / "mika.png")
    wanted = {"character_id": mika.id, "image_path": "mika.png", "threshold": 0.6}
    refused = house.take(task("consistency_check", wanted), "task")
    assert refused.state == "refused"
    assert "anime-pipeline models fetch" in (refused.reason or ""), "the weights are not there"

    score = Score("face_similarity", "measured", Provenance("ccip", "1"), 0.71)
    monkeypatch.setattr(checks, "likeness", lambda *given: Likeness(score, given[-1]))
    receipt = house.take(task("consistency_check", wanted), "task")
    assert (receipt.outcome["score"], receipt.outcome["passed"]) == (0.71, True)
    elsewhere = house.take(task("consistency_check", {**wanted, "image_path": "/etc/passwd"}), "task")
    assert elsewhere.state == "refused"


def test_decisions_choose_retake_and_turn_down(rendered: House) -> None:
    settings = rendered.studio.settings
    first = job_of(rendered, STILL)
    approved = rendered.take(event("quality.decision", {"job_id": first, "decision": "approved"}))
    assert approved.outcome["selected"] == first
    (choice,) = rendered.query("SELECT job_id, chosen_by FROM studio.take_choices")
    assert (choice.job_id, choice.chosen_by) == (first, "echo brain")

    data = {"job_id": first, "decision": "regenerate",
            "suggestions": {"camera": "close-up", "mood": "colder"}}  # fmt: skip
    retaken = rendered.take(event("quality.decision", data, task_id="t-9"))
    assert retaken.state == "applied", retaken.reason
    (asked,) = rendered.query("SELECT note, changes, answered_by_job_id FROM studio.retakes")
    assert "mood: colder" in asked.note
    assert asked.changes == {"camera": "close-up"}
    assert asked.answered_by_job_id == retaken.outcome["job_id"]
    (linked,) = rendered.query("SELECT task_id, job_id FROM studio.echo_task_jobs")
    assert (linked.task_id, linked.job_id) == ("t-9", asked.answered_by_job_id)

    data["suggestions"] = {"prompt": "stronger rain"}
    plain = rendered.take(event("quality.decision", data))
    assert "without its prompt" in plain.outcome["not_followed"], "an animatic has no prompt"
    assert plain.outcome["job_id"] not in (None, first)

    rejected = rendered.take(
        event("quality.decision", {"job_id": first, "decision": "reject", "suggestions": ["wrong coat"]})
    )
    assert rejected.outcome["rejected"] == first
    assert rendered.query("SELECT 1 FROM studio.takes WHERE selected") == []
    assert rendered.query("SELECT reason FROM studio.take_rejections")[0].reason == "wrong coat"
    with session_scope(settings) as session:
        measure_takes(session, settings, [first])
    with session_scope(settings) as session:
        judge_takes(session, [first])
        assert select_best(session, settings, [STILL])[STILL] is None, "no score brings it back"


def test_an_unfinished_take_is_not_approved(house: House) -> None:
    house.studio.plan([STILL])
    receipt = house.take(event("quality.decision", {"job_id": job_of(house, STILL), "decision": "approved"}))
    assert receipt.state == "refused"
    assert "not finished" in (receipt.reason or "")


def test_an_update_of_the_story_names_the_cuts_that_it_concerns(rendered: House) -> None:
    (project,) = rendered.query("SELECT project_id FROM studio.project_profiles")
    told = production()
    told["characters"][1]["attributes"][0]["value"] = "black"
    rendered.studio.import_(told)
    data = {"project_id": project.project_id, "affected_characters": ["toru"]}
    receipt = rendered.take(event("story.updated", data))
    assert receipt.outcome["listed"] == {"stale": [OTHER, VIDEO]}
    everyone = rendered.take(event("story.updated", {"project_id": project.project_id}))
    assert (everyone.outcome["cuts"], everyone.outcome["current"]) == (4, 2)
    unknown = rendered.take(event("story.updated", {**data, "affected_characters": ["Nobody"]}))
    assert "no character Nobody" in (unknown.reason or "")


def test_what_the_supervisor_does_is_in_the_audit_log(rendered: House) -> None:
    rendered.take(event("quality.decision", {"job_id": job_of(rendered, STILL), "decision": "approved"}))
    (entry,) = rendered.query(
        "SELECT actor, action, subject FROM studio.audit_log WHERE actor = 'echo brain'"
    )
    assert (entry.action, entry.subject) == ("approved", "take")
