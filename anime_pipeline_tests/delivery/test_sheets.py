"""Defends the contact sheet: it shows the take that counts and the verdict on that very take, and is drawn
again exactly when something on it changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from anime_pipeline.delivery import sheets
from anime_pipeline.delivery.results import DeliveryError, DeliveryResult
from anime_pipeline.delivery.sheets import build_contact_sheet
from anime_pipeline.media.contact_sheet import Tile, draw_contact_sheet
from anime_pipeline.settings import Settings
from anime_pipeline_tests.delivery.cuts import number_of
from anime_pipeline_tests.delivery.studio import EPISODE, SLUG, Studio

SCENE = f"{EPISODE}.s001"


class Sheet:
    """Builds sheets and keeps what was drawn last."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.title, self.tiles = "", ()

    def build(self, scope: str, phase: str = "phase_0_animatic") -> DeliveryResult:
        return build_contact_sheet(self.studio.session, self.studio.settings, scope, phase)

    def draw(self, title: str, tiles: Sequence[Tile], columns: int, subtitle: str) -> Image.Image:
        self.title, self.tiles = title, tuple(tiles)
        return draw_contact_sheet(title, tiles, columns, subtitle)

    @property
    def statuses(self) -> list[str]:
        return [tile.status for tile in self.tiles]


@pytest.fixture
def sheet(session: Session, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sheet:
    sheet = Sheet(Studio(session, settings, tmp_path))
    monkeypatch.setattr(sheets, "draw_contact_sheet", sheet.draw)
    return sheet


def test_each_cut_stands_as_its_newest_verdict_says(sheet: Sheet) -> None:
    studio = sheet.studio
    keys = [studio.cut(1, number) for number in (10, 20, 30, 40, 50)]
    jobs = [studio.film_take(key, [number, 20 + number, 40]) for number, key in enumerate(keys[:4])]
    studio.judge(keys[0], jobs[0], "failed", "frozen")
    studio.judge(keys[0], jobs[0], "passed")
    studio.judge(keys[1], jobs[1], "failed", "flicker 0.4 is above 0.1")
    studio.judge(keys[2], jobs[2], "passed", phase="phase_1_still")
    studio.judge(keys[3], jobs[3], "incomplete", "aesthetic is unavailable")
    result = sheet.build(SCENE)
    assert sheet.statuses == ["passed", "failed", "incomplete", "incomplete", "missing"]
    assert sheet.title == "Lantern Post · Episode 1: The Last Lamp · Scene 1: Place 1"
    assert [tile.lines for tile in sheet.tiles] == [
        ("What happens in 10",),
        ("flicker 0.4 is above 0.1",),
        ("What happens in 30", "not judged yet"),
        ("aesthetic is unavailable",),
        ("What happens in 50",),
    ]
    assert [number_of(tile.image) for tile in sheet.tiles if tile.image is not None] == [20, 21, 22, 23]
    assert [tile.label for tile in sheet.tiles] == ["c0010", "c0020", "c0030", "c0040", "c0050"]
    assert sheet.tiles[0].detail == "take 1 · video · 0.5 s"
    assert result.slates == (keys[4],)
    with Image.open(result.path) as picture:
        assert picture.format == "PNG"
    assert result.path.name == f"{SCENE}.contact-sheet.png"
    sheet.build(SCENE, "phase_1_still")
    assert sheet.statuses[2] == "passed"


def test_the_selected_take_is_shown_else_the_newest(sheet: Sheet) -> None:
    studio = sheet.studio
    first, second = studio.cut(1, 10), studio.cut(1, 20)
    selected = studio.film_take(first, [7])
    newer = studio.film_take(first, [8], selected=False, number=2)
    studio.film_take(second, [30], selected=False, number=1)
    studio.film_take(second, [31], selected=False, number=2)
    studio.judge(first, newer, "passed")
    sheet.build(SCENE)
    assert [number_of(tile.image) for tile in sheet.tiles if tile.image is not None] == [7, 31]
    assert sheet.statuses == ["incomplete", "incomplete"], "a verdict on another take says nothing"
    studio.judge(first, selected, "passed")
    sheet.build(SCENE)
    assert sheet.statuses == ["passed", "incomplete"]


def test_an_unchanged_sheet_is_not_drawn_again(sheet: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    key = sheet.studio.cut(1, 10)
    job = sheet.studio.picture_take(key, 9)
    first = sheet.build(EPISODE)
    assert first.built
    assert sheet.build(EPISODE).built is False
    sheet.studio.judge(key, job, "passed")
    changed = sheet.build(EPISODE)
    assert changed.built
    assert changed.sha256 != first.sha256


@pytest.mark.parametrize(
    ("scope", "title", "name"),
    [
        (SLUG, "Lantern Post", f"{SLUG}/contact-sheet.png"),
        (EPISODE, "Lantern Post · Episode 1: The Last Lamp", f"{EPISODE}/contact-sheet.png"),
        (
            f"{SCENE}.c0010",
            "Lantern Post · Episode 1: The Last Lamp · Scene 1: Place 1 · Cut 10",
            f"{EPISODE}/{SCENE}.c0010.contact-sheet.png",
        ),
    ],
)
def test_any_scope_has_a_sheet(sheet: Sheet, scope: str, title: str, name: str) -> None:
    sheet.studio.cut(1, 10)
    result = sheet.build(scope)
    assert sheet.title == title
    assert result.path == sheet.studio.settings.home / "deliveries" / name
    assert sheet.tiles[0].label == ("c0010" if scope.startswith(SCENE) else "s001 · c0010")


def test_an_empty_scope_is_named(sheet: Sheet) -> None:
    with pytest.raises(DeliveryError, match="has no cuts"):
        sheet.build(SCENE)
