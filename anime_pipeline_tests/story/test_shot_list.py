"""Defends shot lists: unedited nothing changes, edited only the edit does, and every mistake has a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, CutProfile, Episode, ProjectProfile, Scene, SceneCharacter
from anime_pipeline.media.store import MediaStore
from anime_pipeline.story.difference import Difference
from anime_pipeline.story.importer import apply, compare
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.mistakes import ProductionErrors, StoryError
from anime_pipeline.story.reader import read_production
from anime_pipeline.story.renumbering import reorder_cuts
from anime_pipeline.story.shot_list import read_shot_list
from anime_pipeline.story.shot_list_export import Shot, shot_csv, shots_of
from anime_pipeline.story.unscripted import UNSCRIPTED
from anime_pipeline_tests.story.files import EXAMPLE, picture, read, small
from anime_pipeline_tests.story.generated import productions

Sheet = Callable[..., Difference]


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    """An empty media store."""
    return MediaStore(f"file://{tmp_path / 'media'}")


@pytest.fixture
def story(session: Session, store: MediaStore, tmp_path: Path) -> None:
    """The small production."""
    bring(session, store, tmp_path, small())


def bring(session: Session, store: MediaStore, folder: Path, data: Any) -> Difference:
    """Import a production."""
    production = read(folder, data)
    difference = compare(session, production)
    apply(session, production, difference, store)
    session.flush()
    return difference


@pytest.fixture
def sheet(session: Session, store: MediaStore, tmp_path: Path) -> Sheet:
    """Imports the text of a sheet, or rows that are written as a spreadsheet would; gives the difference."""

    def sheet(rows: str | bytes | list[dict[str, str]], name: str = "shots.csv", **asked: Any) -> Difference:
        if isinstance(rows, list):
            rows = written(rows)
        path = tmp_path / name
        path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
        shots = read_shot_list(path, asked.pop("slug", "small"), **asked)
        difference = compare(session, shots)
        apply(session, shots, difference, store)
        session.flush()
        return difference

    return sheet


def written(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    """Rows as CSV."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(
        out, list(dict.fromkeys(name for row in rows for name in row)), delimiter=delimiter
    )
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def exported(session: Session, scope: str | None = None) -> list[dict[str, str]]:
    """The rows of an export, as a spreadsheet shows them."""
    plain = shot_csv(shots_of(session, scope)).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(plain, newline="")))


def changes(difference: Difference) -> list[tuple[str, str, str, Any, Any]]:
    """Kind, name, field, old and new of each change."""
    return [
        (entry.kind, entry.name, change.field, change.old, change.new)
        for entry in difference.entries
        for change in entry.changes
    ]


def mistakes(sheet: Sheet, rows: Any, **asked: Any) -> list[str]:
    """All that is wrong with a sheet, without the folder of its file."""
    with pytest.raises(ProductionErrors, match="shot list") as caught:
        sheet(rows, **asked)
    return [str(error).rpartition("/")[2] for error in caught.value.errors]


@given(productions(), st.sampled_from(",;\t"))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_story_goes_out_and_in_and_nothing_changed(
    session: Session, store: MediaStore, tmp_path: Path, data: dict[str, Any], delimiter: str
) -> None:
    try:
        bring(session, store, tmp_path, data)
        if not active_cut_keys(session):
            return
        name = "shots.tsv" if delimiter == "\t" else "shots.csv"
        path = tmp_path / name
        shots = shots_of(session, "made")
        path.write_text(shot_csv(shots, delimiter), encoding="utf-8", newline="")
        for omits_missing in (False, True):
            assert compare(session, read_shot_list(path, "made", omits_missing)).entries == ()
        made_again(session, store, tmp_path, data, shots, delimiter)
    finally:
        session.rollback()


def made_again(
    session: Session, store: MediaStore, folder: Path, data: dict[str, Any], shots: list[Shot], delimiter: str
) -> None:
    """The sheet alone makes the same cuts where there is none: it says all of them."""
    written = load_cut_contexts(session, active_cut_keys(session))
    session.rollback()
    bring(session, store, folder, {**data, "episodes": []})
    path = folder / ("again.tsv" if delimiter == "\t" else "again.csv")
    path.write_text(shot_csv(shots, delimiter), encoding="utf-8", newline="")
    again = read_shot_list(path, "made")
    apply(session, again, compare(session, again), store)
    made = load_cut_contexts(session, active_cut_keys(session))
    assert list(made) == list(written)
    for key, context in made.items():
        for field in (
            "kind",
            "fps",
            "duration_frames",
            "description",
            "dialogue",
            "takes_wanted",
            "lip_flap",
            "seed",
            "repeats",
            "continuous",
            "seed_policy",
            "location",
            "mood",
            "camera_angle",
        ):
            assert getattr(context, field) == getattr(written[key], field), field
        assert [replace(figure, character_id=0) for figure in context.figures] == [
            replace(figure, character_id=0) for figure in written[key].figures
        ]


def test_the_example_goes_out_and_in_and_nothing_changed(
    session: Session, store: MediaStore, tmp_path: Path, sheet: Sheet
) -> None:
    production = read_production(EXAMPLE)
    apply(session, production, compare(session, production), store)
    session.flush()
    assert len(exported(session)) == 16
    assert sheet(exported(session), slug="lantern-post").is_empty


@pytest.mark.usefixtures("story")
def test_an_edited_cell_is_the_one_change(session: Session, sheet: Sheet) -> None:
    before = session.execute(select(ProjectProfile.source_path, ProjectProfile.source_sha256)).all()
    rows = exported(session)
    rows[2]["dialogue"] = "Mika: hello\nToru: good morning"
    difference = sheet(rows)
    hello = {"speaker": "Mika", "text": "hello"}
    assert changes(difference) == [
        ("cut", "small.e01.s001.c0030", "dialogue",
         [hello, {"speaker": "Toru", "text": "good evening"}],
         [hello, {"speaker": "Toru", "text": "good morning"}]),
    ]  # fmt: skip
    assert sheet(rows).is_empty
    # The production file stays the word on what it holds.
    assert session.execute(select(ProjectProfile.source_path, ProjectProfile.source_sha256)).all() == before


def test_what_the_sheet_does_not_hold_is_left_alone(
    session: Session, store: MediaStore, tmp_path: Path, sheet: Sheet
) -> None:
    data = small()
    picture(tmp_path / "first.png")
    cut = data["episodes"][0]["scenes"][0]["cuts"][2]
    cut |= {"first_frame": "first.png", "seed": 3, "takes": 2, "budget": {"retakes": 1}, "fps": 12}
    bring(session, store, tmp_path, data)
    key = "small.e01.s001.c0030"
    before = load_cut_contexts(session, [key])[key]
    difference = sheet([{"Episode": "1", "Scene": "1", "Cut": "30", "Duration frames": "50.0"}])
    assert changes(difference) == [
        ("scene", "small.e01.s001", "duration_frames", 112, 114),
        ("cut", key, "duration_frames", 48, 50),
    ]
    after = load_cut_contexts(session, [key])[key]
    assert (after.first_frame_sha256, after.seed, after.takes_wanted, after.fps) == (
        before.first_frame_sha256, 3, 2, 12,
    )  # fmt: skip
    assert after.first_frame_sha256
    assert after.figures == before.figures
    assert len(active_cut_keys(session)) == 4


@pytest.mark.usefixtures("story")
def test_an_emptied_cell_is_a_key_that_is_not_written(session: Session, sheet: Sheet) -> None:
    rows = exported(session)
    rows[0]["description"] = rows[0]["duration_frames"] = rows[1]["cast"] = ""
    assert [change[1:] for change in changes(sheet(rows))] == [
        ("small.e01.s001.c0010", "description", "rain", ""),
        ("small.e01.s001.c0020", "cast", [{"character": "Toru"}],
         [{"character": "Mika"}, {"character": "Toru"}]),
    ]  # fmt: skip
    rows[1]["cast"] = "[]"
    sheet(rows)
    assert load_cut_contexts(session, ["small.e01.s001.c0020"])["small.e01.s001.c0020"].figures == ()
    assert exported(session)[1]["cast"] == "[]"


@pytest.mark.usefixtures("story")
def test_cuts_without_a_row_are_omitted_where_that_is_asked_and_only_in_scenes_of_the_sheet(
    session: Session, sheet: Sheet
) -> None:
    rows = exported(session, "small.e01.s001")
    assert sheet(rows[:2]).is_empty
    difference = sheet(rows[:2], omits_missing=True)
    assert {(entry.kind, entry.name, entry.state) for entry in difference.entries} == {
        ("cut", "small.e01.s001.c0030", "omitted"),
        ("scene", "small.e01.s001", "changed"),
    }
    assert active_cut_keys(session) == [
        "small.e01.s001.c0010", "small.e01.s001.c0020", "small.e01.s002.c0010",
    ]  # fmt: skip
    assert sheet(rows[:2], omits_missing=True).is_empty
    back = sheet(rows)
    assert ("cut", "small.e01.s001.c0030", "omitted", True, False) in changes(back)
    assert session.scalar(select(Scene.duration_frames).where(Scene.scene_number == 1)) == 112


@pytest.mark.usefixtures("story")
def test_rows_make_cuts_scenes_and_episodes(session: Session, sheet: Sheet) -> None:
    cut = {"kind": "loop", "duration_frames": "16", "repeats": "3", "cast": "", "dialogue": ""}
    place = {"scene_location": "pier", "scene_cast": "{character: Mika, costume_variant: raincoat}\nToru"}
    nowhere = dict.fromkeys(place, "")
    difference = sheet([
        {"episode": "1", "scene": "2", "cut": "20", **cut, "cast": "Mika", **nowhere},
        {"episode": "2", "scene": "5", "cut": "10", **cut, **place},
        {"episode": "2", "scene": "5", "cut": "20", **cut, "dialogue": "Toru: ahoy", **nowhere},
    ])  # fmt: skip
    assert [entry.name for entry in difference.entries if entry.state == "added"] == [
        "small.e02", "small.e02.s005", "small.e02.s005 Mika", "small.e02.s005 Toru",
        "small.e01.s002.c0020", "small.e02.s005.c0010", "small.e02.s005.c0020",
    ]  # fmt: skip
    key = "small.e02.s005.c0020"
    context = load_cut_contexts(session, [key])[key]
    assert (context.location, context.repeats, context.dialogue[0].text) == ("pier", 3, "ahoy")
    assert [(figure.name, figure.outfit and figure.outfit.name) for figure in context.figures] == [
        ("Mika", "raincoat"), ("Toru", None),
    ]  # fmt: skip
    durations = select(Scene.duration_frames).order_by(Scene.id)
    assert list(session.scalars(durations)) == [112, 96, 96]


@pytest.mark.usefixtures("story")
def test_a_scenes_cast_is_edited_with_the_cuts_that_show_it(session: Session, sheet: Sheet) -> None:
    rows = exported(session, "small.e01.s001")
    assert [bool(row["scene_cast"]) for row in rows] == [True, False, False]
    rows[0]["scene_cast"] = "{character: Mika, costume_variant: raincoat}"
    assert mistakes(sheet, rows[:1]) == [
        f"shots.csv:2: scene_cast (Z2): small.e01.s001.{cut} has no row here: Toru is not in the scene's "
        "cast (known are: Mika)"
        for cut in ("c0020", "c0030")
    ]
    rows[1]["cast"] = rows[2]["dialogue"] = ""
    sheet(rows)
    keys = ["small.e01.s001.c0010", "small.e01.s001.c0030"]
    shown = load_cut_contexts(session, keys)
    assert [[figure.name for figure in shown[key].figures] for key in keys] == [["Mika"], ["Mika"]]
    assert len(session.scalars(select(SceneCharacter)).all()) == 2


@pytest.mark.usefixtures("story")
def test_all_mistakes_are_told_with_row_and_cell_and_nothing_is_written(
    session: Session, sheet: Sheet
) -> None:
    before = exported(session)
    rows = exported(session)
    rows[0]["kind"] = "stil"
    rows[0]["seed"] = "1.8E+19"
    rows[1]["duration_frames"] = "16 frames"
    rows[1]["cast"] = "Tor\n{character: Mika, variation: coat}"
    rows[2]["dialogue"] = "Mika: hello\nwhat a day"
    rows[3]["cut"] = "1O"
    rows.append({**rows[0], "kind": "still", "seed": ""})
    assert mistakes(sheet, rows) == [
        "shots.csv:2: kind (D2): kind must be one of still, loop, video, not 'stil' (did you mean 'still'?)",
        "shots.csv:2: seed (R2): seed is a number that the spreadsheet has rounded: 1.8E+19 "
        "(let the column be text there, and write all digits)",
        "shots.csv:3: cast[0].character (I3): Tor is not in the scene's cast (did you mean 'Toru'?)",
        "shots.csv:3: cast[1].variation (I3): Mika has no outfit coat (did you mean 'raincoat'?)",
        "shots.csv:3: duration_frames (E3): duration_frames must be a whole number of frames, not '16 "
        "frames' (write 16 without quotes or units)",
        "shots.csv:4: dialogue[1] (J4): a line of dialogue names its speaker: write 'Mika: hello'",
        "shots.csv:5: cut (C5): cut must be a whole number from 0 to 9999, not '1O' (each row names its cut)",
        "shots.csv:6: cut (C6): the cut is there twice, first in row 2 (remove one)",
    ]
    assert exported(session) == before


@pytest.mark.usefixtures("story")
def test_two_rows_that_disagree_on_their_scene_are_a_mistake(session: Session, sheet: Sheet) -> None:
    rows = exported(session)
    rows[1]["scene_mood"], rows[2]["scene_mood"] = "calm", "wild"
    assert mistakes(sheet, rows) == [
        "shots.csv:4: scene_mood (Y4): row 3 says otherwise of the same scene "
        "(say it once, in the scene's first row)"
    ]
    rows[2]["scene_mood"] = ""
    assert changes(sheet(rows)) == [("scene", "small.e01.s001", "mood", "", "calm")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "there is no column episode"),
        ("episode,scene,cut\n", "there is no cut"),
        ("episode,scene,cutt\n1,1,10\n", "unknown column C, 'cutt' (did you mean 'cut'?"),
        ("episode,scene,cut,note\n1,1,10,x\n", "begins with #: #note"),
        ("episode,scene,cut,first_frame\n1,1,10,x\n", "production.yaml names pictures"),
        ("episode,scene,cut,Cut\n1,1,10,10\n", "two columns cut, C and D"),
        ("episode,scene,cut,kind\n1,1,10,still,x\n", "more cells than column names"),
        ("episode,scene,cut,kind\n,1,10,still\n", "A2): episode is missing"),
        ("episode,scene,cut,kind\n1,1,1e3,still\n", "from 0 to 9999, not '1e3'"),
        ("episode,scene,cut,kind\n100,1,1,still\n", "from 0 to 99, not '100'"),
        ("episode,scene,cut,description\n1,1,50,x\n", "2: kind: kind is missing (write still, loop"),
        ("episode,scene,cut,kind\n1,1,50,loop\n", "2: a loop needs duration_frames"),
        ('episode,scene,cut,kind\n1,1,50,"still\n', "2: the row cannot be read: unexpected end of data"),
        ("episode,scene,cut,kind\n1,1,50,st\0ll\n", "not UTF-8 text (save it as 'CSV UTF-8')"),
        ("episode,scene,cut,description\n1,1,10,雨\n".encode("shift-jis"), "save it as 'CSV UTF-8'"),
        ("episode,scene,cut,scene_name\n1,1,10," + 256 * "x", "D2): name is longer than 255 letters"),
        ("episode,scene,cut,scene_cast\n1,1,10,Nobody", "scene_cast[0].character (D2): there is no"),
        ("episode,scene,cut,takes\n1,1,10,65", "takes (D2): takes must be at most 64, not 65"),
        ("episode,scene,cut,cast\n1,1,10,{character: Mika; x}", "cannot be read|character"),
    ],
)
@pytest.mark.usefixtures("story")
def test_a_bad_sheet_is_told_in_words(sheet: Sheet, content: str | bytes, told: str) -> None:
    assert any(any(part in line for part in told.split("|")) for line in mistakes(sheet, content))


@pytest.mark.usefixtures("story")
def test_what_spreadsheets_write_is_read(session: Session, sheet: Sheet) -> None:
    """A byte order mark, semicolons, CRLF, empty rows and columns, numbers as 1.0, lines in a cell."""
    text_ = (
        "\ufeffEPISODE;Scene;cut;dialogue;camera-angle;#who;;\r\n"
        ";;;;;;;\r\n"
        '1.0;1;30;"Mika: hello; again\r\nToru: ""well"", yes";\'=close-up;Aiko;;\r\n'
        "\r\n"
        ";;;;;;;\r\n"
    )
    difference = sheet(text_)
    assert [(field, new) for _, _, field, _, new in changes(difference)] == [
        ("camera_angle", "=close-up"),
        ("dialogue", [
            {"speaker": "Mika", "text": "hello; again"}, {"speaker": "Toru", "text": '"well", yes'},
        ]),
    ]  # fmt: skip
    assert exported(session)[2]["camera_angle"] == "'=close-up"
    assert sheet("episode\tscene\tcut\tkind\n1\t1\t30\tvideo\n", name="shots.TSV").is_empty


@pytest.mark.usefixtures("story")
def test_a_row_is_counted_as_the_spreadsheet_counts_it(sheet: Sheet) -> None:
    content = 'episode,scene,cut,description\n1,1,10,"two\nlines"\n\n1,1,x,\n'
    [told] = mistakes(sheet, content)
    assert told.startswith("shots.csv:4: cut (C4)")


@pytest.mark.usefixtures("story")
def test_what_an_earlier_system_wrote_is_no_edit(session: Session, sheet: Sheet) -> None:
    session.execute(
        update(Cut).where(Cut.cut_number == 30).values(description=" \t=sum\r\n ", camera_angle=None)
    )
    session.execute(update(Scene).values(mood=" grey "))
    session.execute(
        update(CutProfile).where(CutProfile.cut_key.endswith("c0030")).values(spec={}, kind="video")
    )
    rows = exported(session)
    assert sheet(rows).is_empty
    rows[2]["action_notes"] = "waves"
    assert ("cut", "small.e01.s001.c0030", "action_notes", None, "waves") in [
        (kind, name, field, old or None, new) for kind, name, field, old, new in changes(sheet(rows))
    ]


@pytest.mark.usefixtures("story")
def test_an_edit_keeps_the_seeds_of_a_cut_that_was_dealt_another_number(
    session: Session, store: MediaStore, tmp_path: Path, sheet: Sheet
) -> None:
    """The key of its seeds is what keeps its takes current."""
    scene = session.scalars(select(Scene).where(Scene.scene_number == 1)).one()
    ids = session.scalars(select(Cut.id).where(Cut.scene_id == scene.id).order_by(Cut.cut_number)).all()
    reorder_cuts(session, scene, list(reversed(ids)))
    key = "small.e01.s001.c0010"
    assert load_cut_contexts(session, [key])[key].seed_key == "small.e01.s001.c0030"
    sheet([{"episode": "1", "scene": "1", "cut": "10", "action_notes": "bows"}])
    assert load_cut_contexts(session, [key])[key].seed_key == "small.e01.s001.c0030"
    assert not bring(session, store, tmp_path, small()).is_empty
    assert load_cut_contexts(session, [key])[key].seed_key == "small.e01.s001.c0030"


@pytest.mark.usefixtures("story")
def test_unscripted_shots_and_unknown_projects_are_refused(session: Session, sheet: Sheet) -> None:
    row = [{"episode": "99", "scene": "0", "cut": "0", "kind": "still"}]
    project_id = session.scalar(select(ProjectProfile.project_id))
    session.add(Episode(project_id=project_id, episode_number=99, title="x", status=UNSCRIPTED))
    session.flush()
    with pytest.raises(StoryError, match="unscripted"):
        sheet(row)
    with pytest.raises(StoryError, match="no project smal") as caught:
        sheet(row, slug="smal")
    assert caught.value.remedy == "Name one of small: shots SLUG, or import FILE --project SLUG."
    with pytest.raises(StoryError, match=r"no active cut in small\.e07"):
        exported(session, "small.e07")


@pytest.mark.usefixtures("story")
def test_a_story_that_changed_after_the_difference_was_shown_is_not_written(
    session: Session, store: MediaStore, tmp_path: Path
) -> None:
    path = tmp_path / "shots.csv"
    path.write_text("episode,scene,cut,description\n1,1,10,fog\n")
    shots = read_shot_list(path, "small")
    difference = compare(session, shots)
    session.execute(update(Cut).where(Cut.cut_number == 10).values(description="snow"))
    with pytest.raises(StoryError, match="nothing was written"):
        apply(session, shots, difference, store)
