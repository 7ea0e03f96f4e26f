"""Defends the way of a cut: planned, rendered, recorded;
rendered again only where the story it shows changed.
"""

from __future__ import annotations

from PIL import Image

from anime_pipeline.rendering.events import RenderEvent
from anime_pipeline.rendering.worker import drain
from anime_pipeline_tests.rendering.studio import Studio, production, stills


def test_everything_is_rendered_once_and_recorded_whole(studio: Studio) -> None:
    studio.import_(production())
    assert {state.state for state in studio.states().values()} == {"missing"}
    report = studio.render()
    assert [take.cut_key[-5:] for take in report.finished] == ["c0010", "c0020", "c0030", "c0040"]
    assert (report.failed, report.waiting) == ([], [])
    assert [(row.kind, row.role, row.frame_count, row.width) for row in studio.shown()] == [
        ("image", "frame", 1, 64),
        ("image", "frame", 1, 64),
        ("video", "film", 4, 64),
        ("video", "film", 6, 64),
    ]
    takes = studio.query(
        "SELECT server_kind, pixels_sha256, output_path FROM studio.takes JOIN jobs ON id = job_id "
        "ORDER BY job_id"
    )
    assert all(take.server_kind == "preview" and len(take.pixels_sha256) == 64 for take in takes)
    assert [take.output_path for take in takes] == [row.location for row in studio.shown()]
    assert all(
        row.gpu_seconds is not None for row in studio.query("SELECT gpu_seconds FROM studio.render_attempts")
    )
    studio.check_nothing_is_broken()


def test_the_same_recipe_renders_nothing(studio: Studio) -> None:
    studio.import_(production())
    studio.render()
    before = studio.renders
    assert [cut.state for cut in studio.plan()] == ["current"] * 4
    studio.render()
    assert studio.renders == before == 4
    assert {state.state for state in studio.states().values()} == {"current"}


def test_an_outfit_edit_makes_exactly_the_cuts_stale_that_show_it(studio: Studio) -> None:
    data = production()
    studio.import_(data)
    studio.render()
    data["characters"][0]["variations"][0]["prompt_modifiers"]["attributes"]["outfit_color"] = "red"
    studio.import_(data)
    states = studio.states()
    assert {cut: state.state for cut, state in states.items()} == {
        "c0010": "stale",
        "c0020": "current",
        "c0030": "stale",
        "c0040": "stale",
    }
    for cut in ("c0010", "c0030", "c0040"):
        (change,) = states[cut].changes
        assert (change.field, change.old, change.new) == (
            "character.mika.outfit.raincoat.outfit_color",
            "yellow",
            "red",
        )
    before = studio.renders
    studio.render()
    assert studio.renders - before == 3
    assert {state.state for state in studio.states().values()} == {"current"}


def test_a_change_of_clothes_is_named_once(studio: Studio) -> None:
    data = production()
    studio.import_(data)
    studio.render()
    data["episodes"][0]["scenes"][0]["cast"][0]["costume_variant"] = "yukata"
    studio.import_(data)
    assert [(change.field, change.old, change.new) for change in studio.states()["c0010"].changes] == [
        ("character.mika.outfit.raincoat", True, None),
        ("character.mika.outfit.yukata", None, True),
    ]


def test_what_decides_no_pixel_renders_nothing(studio: Studio) -> None:
    data = production()
    studio.import_(data)
    studio.render()
    cuts = data["episodes"][0]["scenes"][0]["cuts"]
    cuts[0]["dialogue"] = ["Mika: something else entirely, and much longer"]  # a still: no mouth moves
    cuts[0]["duration_frames"] = 99  # how long it is held
    data["characters"][0]["variations"][0]["prompt_modifiers"]["append"] = [
        "dripping"
    ]  # words for a text encoder
    data["bible"]["world_building_notes"] = "a town of letters"
    studio.import_(data)
    assert {state.state for state in studio.states().values()} == {"current"}
    cuts[3]["dialogue"][0] = "Mika: hello hello hello hello"  # the mouth moves longer
    studio.import_(data)
    states = studio.states()
    assert [cut for cut, state in states.items() if state.state == "stale"] == ["c0040"]
    assert [change.field for change in states["c0040"].changes] == ["cut.dialogue"]


def test_several_takes_and_retakes_have_seeds_of_their_own(studio: Studio) -> None:
    studio.import_(stills(1, takes=2))
    studio.render()
    (retake,) = studio.retake()
    assert (retake.answer_status, retake.answered_by_take) == ("queued", 3)
    studio.drain()
    rows = studio.query("""
        SELECT g.seed, t.take_number, t.pixels_sha256
        FROM generation_params g JOIN studio.takes t USING (job_id)
    """)
    assert len({row.seed for row in rows}) == len({row.pixels_sha256 for row in rows}) == 3
    assert {row.take_number for row in rows} == {1, 2, 3}
    assert studio.states()["c0010"].state == "current"


def test_a_missing_file_is_rendered_again_as_a_new_take(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.render()
    (row,) = studio.shown()
    (studio.settings.home / "media" / row.location).unlink()
    assert studio.states()["c0010"].state == "missing"
    studio.render()
    assert studio.states()["c0010"].state == "current"
    assert studio.renders == 2
    first, second = studio.query("SELECT pixels_sha256 FROM studio.takes ORDER BY take_number")
    assert first == second  # the files differ, since a PNG names its take; what they show does not


def test_a_studios_own_pictures_are_drawn_and_sent_by_content(studio: Studio) -> None:
    data = stills(3)
    Image.new("RGBA", (8, 8), (200, 10, 10, 128)).save(studio.folder / "toru.png")
    Image.new("RGB", (8, 8), (10, 10, 200)).save(studio.folder / "quay.jpg")
    data["characters"][1]["variations"] = [{"name": "coat", "type": "outfit", "reference_image": "toru.png"}]
    scene = data["episodes"][0]["scenes"][0]
    scene["background_image"] = "quay.jpg"
    scene["cast"][1]["costume_variant"] = "coat"
    studio.import_(data)
    studio.server.misbehave("upload_renamed")
    assert len(studio.render().finished) == 3
    assert all(shot.background is not None for shot in studio.artist.shots)
    assert all(shot.figures[0].picture.shape == (8, 8, 4) for shot in studio.artist.shots)

    Image.new("RGB", (8, 8), (10, 200, 10)).save(studio.folder / "quay.jpg")
    studio.import_(data)
    assert {tuple(change.field for change in state.changes) for state in studio.states().values()} == {
        ("scene.background",)
    }


def test_a_picture_that_somebody_cleared_away_is_sent_again(studio: Studio) -> None:
    data = stills(2)
    Image.new("RGB", (8, 8), (10, 10, 200)).save(studio.folder / "quay.png")
    data["episodes"][0]["scenes"][0]["background_image"] = "quay.png"
    studio.import_(data)
    studio.plan()
    cleared = []

    def clear(event: RenderEvent) -> None:
        if event.kind == "finished" and not cleared:
            cleared.extend(studio.server.home.glob("preview/input/*.png"))
            for picture in cleared:
                picture.unlink()

    report = drain(studio.settings.model_copy(update={"prompts_in_flight": 1}), on_event=clear)
    assert len(cleared) == 1
    assert len(report.finished) == 2
    assert studio.outcomes() == {"succeeded": 2}
