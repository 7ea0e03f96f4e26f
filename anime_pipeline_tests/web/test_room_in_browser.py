"""Defends what a director does in the review room, in a real browser."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from anime_pipeline_tests.rendering.studio import Studio
from anime_pipeline_tests.web.browser import BROWSER, opened_page

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


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
