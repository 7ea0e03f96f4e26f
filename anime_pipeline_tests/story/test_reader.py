"""Defends the reading of productions: every mistake is told at once, each with its line, field and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anime_pipeline.errors import UserError
from anime_pipeline.story.mistakes import ProductionErrors
from anime_pipeline.story.production import production_json_schema
from anime_pipeline.story.reader import read_production
from anime_pipeline_tests.story.files import EXAMPLE, mistakes, picture, read, small, write

TEN_MISTAKES = """\
project:
  slug: lantern-post
  name: Lantern
  resolution: 641x360
bible:
  color_palette:
    sea: teal
    sand: #ddccaa
characters:
  - name: Mika
    atributes: []
    variations:
      - {name: raincoat, type: outfit}
  - name: Mika
episodes:
  - number: 1
    scenes:
      - number: 1
        cast:
          - {character: Mika, costume_variant: raincoot}
          - {character: Kon}
        cuts:
          - {number: 10, kind: movie, duration_frames: 24}
          - {number: 20, kind: video, duration_frames: 2 seconds, dialogue: ["Toru: hello"]}
"""
SCENE = "episodes[0].scenes[0]"


def test_ten_planted_mistakes_give_ten_messages(tmp_path: Path) -> None:
    found = mistakes(tmp_path, TEN_MISTAKES)
    assert [(error.line, error.field) for error in found] == [
        (4, "project.resolution"),
        (7, "bible.color_palette.sea"),
        (8, "bible.color_palette.sand"),
        (11, "characters[0].atributes"),
        (14, "characters[1].name"),
        (20, f"{SCENE}.cast[0].costume_variant"),
        (21, f"{SCENE}.cast[1].character"),
        (23, f"{SCENE}.cuts[0].kind"),
        (24, f"{SCENE}.cuts[1].dialogue[0].speaker"),
        (24, f"{SCENE}.cuts[1].duration_frames"),
    ]
    assert all(error.message and error.suggestion for error in found)
    text = " ".join(error.message for error in found)
    assert "pydantic" not in text
    assert "input" not in text.lower()


def test_the_whole_message_names_file_line_field_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(ProductionErrors) as caught:
        read(tmp_path, TEN_MISTAKES)
    assert isinstance(caught.value, UserError)
    text = str(caught.value)
    assert text.startswith("10 mistakes in the production file; nothing was written.")
    assert f"{tmp_path / 'production.yaml'}:20: {SCENE}.cast[0].costume_variant: " in text
    assert "did you mean 'raincoat'?" in text


def _set(data: Any, *path: Any) -> None:
    *parents, key, value = path
    for parent in parents:
        data = data[parent]
    data[key] = value


def _cut(data: dict[str, Any], number: int) -> Any:
    return data["episodes"][0]["scenes"][0]["cuts"][number]


EDITS: list[tuple[str, Callable[[dict[str, Any]], None], str, str]] = [
    ("missing name", lambda d: d["project"].pop("name"), "name is missing", ""),
    ("unknown top key", lambda d: _set(d, "scenes", []), "unknown key 'scenes'", "episodes"),
    ("slug", lambda d: _set(d, "project", "slug", "Small!"), "lower-case letters", "lantern-post"),
    ("number as name", lambda d: _set(d, "project", "name", 1984), "name must be text, not 1984", "'1984'"),
    ("fps in words", lambda d: _set(d, "project", "fps", "24 fps"), "frames per second", "write 24"),
    ("half frames", lambda d: _set(_cut(d, 1), "duration_frames", 16.5),
     "a whole number of frames", "write 16"),
    ("no frames", lambda d: _cut(d, 2).pop("duration_frames"), "a video needs duration_frames", "length"),
    ("zero frames", lambda d: _set(_cut(d, 2), "duration_frames", 0), "at least 1", ""),
    ("one frame loop", lambda d: _set(_cut(d, 1), "duration_frames", 1), "at least 2 frames", "still"),
    ("repeated video", lambda d: _set(_cut(d, 2), "repeats", 2), "does not repeat", "loop"),
    ("bad speaker form", lambda d: _set(_cut(d, 2), "dialogue", ["hello"]), "names its speaker", ""),
    ("unknown speaker", lambda d: _set(_cut(d, 2), "dialogue", ["Mikka: hi"]), "not in this cut", "'Mika'"),
    ("late line", lambda d: _set(_cut(d, 2), "dialogue", [{"speaker": "Mika", "text": "x", "end": 99}]),
     "spoken at frame 99, the cut has 48", "shorten"),
    ("crowded lines", lambda d: _set(_cut(d, 0), "dialogue", [
        {"speaker": "Mika", "text": "x", "end": 48}, "Toru: y"]), "at frame", ""),
    ("backward line", lambda d: _set(_cut(d, 2), "dialogue", [
        {"speaker": "Mika", "text": "x", "start": 20, "end": 10}]), "no frame is left", ""),
    ("not in the scene", lambda d: _set(_cut(d, 1), "cast", ["Tora"]), "not in the scene's cast", "'Toru'"),
    ("twice in the cut", lambda d: _set(_cut(d, 1), "cast", ["Toru", "Toru"]), "there twice", ""),
    ("unknown cut outfit", lambda d: _set(_cut(d, 1), "cast", [{"character": "Toru", "variation": "suit"}]),
     "Toru has no outfit suit", "give Toru"),
    ("expression as outfit", lambda d: _set(d, "episodes", 0, "scenes", 0, "cast", 0,
     "costume_variant", "smiling"),
     "Mika has no outfit smiling", "raincoat"),
    ("cut numbered twice", lambda d: _set(_cut(d, 1), "number", 10), "cut 10 is there twice", ""),
    ("cut number too large", lambda d: _set(_cut(d, 1), "number", 10000), "at most 9999", ""),
    ("scene numbered twice", lambda d: _set(d, "episodes", 0, "scenes", 1, "number", 1), "scene 1", ""),
    ("attribute twice", lambda d: _set(d, "characters", 0, "attributes", 1, "type", "hair_color"),
     "twice", ""),
    ("attribute colour", lambda d: _set(d, "characters", 0, "attributes", 0, "value", "#12"),
     "not a colour", "#1"),
    ("list for group", lambda d: _set(d, "bible", ["x"]), "must be a group of keys, not a list",
     "key: value"),
    ("group for list", lambda d: _set(d, "characters", {"Mika": {}}), "must be a list", "- "),
    ("switch in words", lambda d: _set(_cut(d, 0), "lip_flap", "yes"), "true or false", ""),
    ("empty name", lambda d: _set(d, "project", "name", ""), "name is empty", ""),
    ("nothing for text", lambda d: _set(d, "bible", "art_style", None), "art_style is empty",
     "leave the line out"),
    ("long name", lambda d: _set(d, "project", "name", "x" * 300), "longer than 255", "shorten"),
    ("reserved style", lambda d: _set(d, "episodes", 0, "scenes", 0, "style_overrides",
     {"background_image": "x"}),
     "has its own place", "beside"),
    ("reserved requirement", lambda d: _set(d, "bible", "technical_requirements", {"negative_prompt": "x"}),
     "has its own place", "bible.negative_prompt"),
    ("huge seed", lambda d: _set(d, "bible", "global_seed", 2**64), "at most 18446744073709551615", ""),
    ("missing picture", lambda d: _set(d, "episodes", 0, "scenes", 0, "background_image", "sea.png"),
     "no picture sea.png", "relative"),
    ("picture elsewhere", lambda d: _set(d, "episodes", 0, "scenes", 0, "background_image", "../sea.png"),
     "outside the folder", "copy"),
    ("absolute picture", lambda d: _set(d, "episodes", 0, "scenes", 0, "background_image", "/etc/passwd"),
     "outside the folder", "copy"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "message", "suggestion"), [e[1:] for e in EDITS], ids=[e[0] for e in EDITS])
def test_one_mistake_gives_one_message_in_a_persons_words(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], message: str, suggestion: str
) -> None:
    data = small()
    edit(data)
    [found] = mistakes(tmp_path, data)
    assert message in found.message
    assert suggestion in (found.suggestion or "")
    assert found.line >= 1


def test_a_misspelt_key_is_one_mistake_not_two(tmp_path: Path) -> None:
    data = small()
    data["characters"][0]["nmae"] = data["characters"][0].pop("name")
    [found] = mistakes(tmp_path, data)
    assert found.suggestion == "did you mean 'name'?"


def test_an_unknown_character_does_not_cascade(tmp_path: Path) -> None:
    data = small()
    del data["characters"][1]
    [found] = mistakes(tmp_path, data)
    assert found.message == "there is no character Toru"


def test_an_off_screen_voice_may_be_anyone(tmp_path: Path) -> None:
    data = small()
    _cut(data, 2)["dialogue"] = [{"speaker": "Radio", "text": "storm warning", "off_screen": True}]
    assert mistakes(tmp_path, data) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "empty"), ("# nothing\n", "empty"), ("a: [1", "not valid YAML"), ("- 1\n",
     "group of keys"), ("x", "group")],
)  # fmt: skip
def test_a_file_that_is_no_production_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    [found] = mistakes(tmp_path, text)
    assert message in found.message


def test_a_file_that_is_not_there_or_no_text_is_one_message(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(ProductionErrors, match="cannot be read"):
            read_production(path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: 1\nb: \xff\xfe\n")
    with pytest.raises(ProductionErrors, match=r"binary\.yaml:2: the file is not UTF-8"):
        read_production(binary)


def test_duplicate_keys_are_mistakes(tmp_path: Path) -> None:
    text = write(tmp_path, small()).read_text().rstrip("}\n") + ', "bible": {}}'
    [found] = mistakes(tmp_path, text)
    assert "bible is given twice" in found.message


def test_pictures_are_read_hashed_and_kept_by_their_path(tmp_path: Path) -> None:
    data = small()
    data["episodes"][0]["scenes"][0]["background_image"] = "art/sea.png"
    picture(tmp_path / "art" / "sea.png", size=(20, 10))
    production = read(tmp_path, data)
    found = production.source.pictures["art/sea.png"]
    assert (found.width, found.height, found.suffix) == (20, 10, ".png")
    assert found.location == f"{found.sha256[:2]}/{found.sha256}.png"


def test_pictures_in_other_formats_and_links_out_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    outside = picture(tmp_path / "outside.png")
    (home / "link.png").symlink_to(outside)
    Image.new("RGB", (4, 4)).save(home / "old.png", format="BMP")
    (home / "torn.png").write_bytes(outside.read_bytes()[:40])
    for name, message in (("link.png", "outside"), ("old.png", "BMP"), ("torn.png", "cannot be read")):
        data = small()
        data["episodes"][0]["scenes"][0]["background_image"] = name
        [found] = mistakes(home, data)
        assert message in found.message


def small_with_unquoted_dialogue() -> dict[str, Any]:
    """The small production as YAML reads ``- Mika: hello`` without quotes."""
    data = small()
    _cut(data, 2)["dialogue"] = [{"Mika": "hello"}, {"Toru": "good evening"}]
    return data


def test_short_forms_and_defaults(tmp_path: Path) -> None:
    production = read(tmp_path, small())
    still, loop, video = production.episodes[0].scenes[0].cuts
    assert still.frames(production.project.fps) == 48
    assert (still.moves_lips, video.moves_lips) == (False, True)
    assert loop.cast is not None
    assert loop.cast[0].character == "Toru"
    assert read(tmp_path, small_with_unquoted_dialogue()).episodes == production.episodes
    assert [(line.speaker, line.text) for line in video.dialogue] == [
        ("Mika", "hello"),
        ("Toru", "good evening"),
    ]


def test_the_schema_knows_the_short_forms_and_every_field() -> None:
    schema = production_json_schema()
    assert schema["$defs"]["LineEntry"]["anyOf"][0] == {"type": "string"}
    assert schema["$defs"]["SceneEntry"]["additionalProperties"] is False
    assert set(schema["properties"]) == {"project", "bible", "characters", "episodes"}


def test_the_example_is_a_whole_episode() -> None:
    production = read_production(EXAMPLE)
    scenes = production.episodes[0].scenes
    cuts = [cut for scene in scenes for cut in scene.cuts]
    assert len(production.characters) == 3
    assert len(scenes) >= 3
    assert len(cuts) >= 14
    assert {cut.kind for cut in cuts} == {"still", "loop", "video"}
    assert any(cut.kind == "loop" and cut.duration_frames == 16 for cut in cuts)
    assert any(cut.kind == "video" and cut.frames(24) >= 120 for cut in cuts)
    assert len({scene.time_of_day for scene in scenes}) >= 3
