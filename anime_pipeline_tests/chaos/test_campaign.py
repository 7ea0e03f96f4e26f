"""Defends every take against everything at once: servers, workers, database killed, answers corrupted."""

from __future__ import annotations

import pytest

from anime_pipeline_tests.chaos.campaign import DISASTERS, run_campaign
from anime_pipeline_tests.conftest import folder_for_a_server

pytestmark = pytest.mark.slow


def test_a_campaign_of_disasters_costs_no_take_and_few_renders() -> None:
    with folder_for_a_server() as folder:
        report = run_campaign(folder, cuts=40, disasters=len(DISASTERS))
        assert report.problems == [], (folder / "worker.log").read_text()[-4000:]
    assert set(report.disasters) == set(DISASTERS)
    assert report.attempts["succeeded"] == 40
    assert 0 <= report.excess < 0.10
