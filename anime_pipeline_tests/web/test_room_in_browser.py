"""Defends what a director does in the review room, in a real browser."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from anime_pipeline_tests.rendering.studio import Studio
from anime_pipeline_tests.web.browser import BROWSER, Page, opened_page

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


NAMED = {"button", "checkbox", "combobox", "dialog", "slider", "table", "textbox", "Video"}


def names(page: Page) -> list[str]:
    """What a screen reader calls each thing on the page that one can use or look at."""
    nodes = page.ask("Accessibility.getFullAXTree")["nodes"]
    return [
        str(node["name"].get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in NAMED
    ]


def test_it_is_used_on_a_phone_by_keys_and_by_ear_and_fills_a_great_screen(
    tiny: Studio, api: httpx.Client, tmp_path: Path
) -> None:
    tiny.render()
    [loop] = tiny.query("SELECT cut_id FROM studio.cut_profiles WHERE kind = 'loop'")
    with opened_page(f"{api.base_url}/room/", tmp_path / "browser") as page:
        page.until("Boolean(document.querySelector('.card img') && document.querySelector('#gates button'))")
        page.ask(
            "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True
        )
        page.ask("Emulation.setTouchEmulationEnabled", enabled=True)
        assert page.value("document.documentElement.scrollWidth") == 390
        page.value("scrollTo(0, 300)")
        assert page.value("document.querySelector('header').getBoundingClientRect().bottom") < 0
        assert page.value("document.querySelector('.card').clientWidth") > 300
        board = names(page)
        assert len(set(board)) == len(board), (
            "two buttons of one name are told apart by nobody who hears them"
        )
        # A gate tells its verdict by more than its colour, and its reason to who has no mouse.
        assert page.value("document.querySelector('#gates button').ariaLabel").startswith("0 animatic ")
        page.value("document.querySelector('#gates button').focus()")
        page.press("Enter", text="\r")
        page.until("/0 animatic .*: .*cuts/.test(document.getElementById('said').textContent)")

        page.value(f"document.getElementById('card-{loop.cut_id}').click()")
        page.until("document.querySelector('#cut video')?.readyState >= 2")
        page.until("document.querySelector('#cut table[aria-label=Numbers]') !== null")
        assert page.value("document.documentElement.scrollWidth") == 390
        assert page.value("document.getElementById('cut').scrollWidth") <= 390
        assert [name for name in names(page) if not any(map(str.isalpha, name))] == []
        sizes = "[...document.querySelectorAll('#cut button')].map((one) => one.getBoundingClientRect())"
        assert page.value(f"Math.min(...{sizes}.flatMap(({{ width, height }}) => [width, height]))") >= 24

        page.ask(
            "Emulation.setDeviceMetricsOverride", width=3840, height=2160, deviceScaleFactor=1, mobile=False
        )
        assert page.value("document.querySelector('#cut .picture').clientWidth") > 1200
        assert page.value("document.getElementById('cut').scrollHeight <= innerHeight")
        assert page.value("document.querySelector('.card').clientWidth") > 500
        assert page.errors == []


def test_a_director_looks_asks_again_compares_and_plays(
    tiny: Studio, api: httpx.Client, tmp_path: Path
) -> None:
    tiny.render()
    [loop] = tiny.query("SELECT cut_id, cut_key FROM studio.cut_profiles WHERE kind = 'loop'")
    with opened_page(f"{api.base_url}/room/#{loop.cut_key}", tmp_path / "browser") as page:
        # A take is looked at frame by frame.
        page.until("document.querySelector('#cut video')?.readyState >= 2")
        page.press(",")
        page.until("document.querySelector('#cut video').paused")
        page.value("(track = document.querySelector('.bar input')).value = 2, track.oninput()")
        page.until("document.querySelector('#cut output').textContent == 'frame 2 (0–3)'")
        for _ in range(3):  # at the last frame it stays
            page.press(".")
            page.until("document.querySelector('#cut output').textContent == 'frame 3 (0–3)'")
        page.press(",")
        page.until("document.querySelector('#cut output').textContent == 'frame 2 (0–3)'")
        # Another take arrives while a note is typed, and the note stays.
        page.value("(note = document.querySelector('form.retake').note).value = 'もっと近く', note.focus()")
        tiny.retake([loop.cut_key])
        tiny.drain()
        page.until("document.querySelectorAll('.takes button').length == 2")
        page.until("!document.querySelector('.takes').textContent.includes('queued')")
        assert page.value("[note.value, document.activeElement === note, note.isConnected]") == [
            "もっと近く", True, True,
        ]  # fmt: skip
        # Two takes stand side by side.
        page.value("(beside = document.querySelector('#beside')).value = beside.options[1].value, 0")
        page.value("beside.dispatchEvent(new Event('change')), document.getElementById('cut').scrollTo(0, 0)")
        page.until("document.querySelectorAll('#cut video').length == 2")
        # Back on the board, the card that was looked at has the focus; the scene plays from its first cut on.
        page.value("document.getElementById('cut').close()")
        page.until(f"document.activeElement.id == 'card-{loop.cut_id}'")
        page.value("document.querySelector('.place button').click()")
        page.until("/^2 of /.test(document.querySelector('#play .row .quiet').textContent)")
        assert page.errors == []
