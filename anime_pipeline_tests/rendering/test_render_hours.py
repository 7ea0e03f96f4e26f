"""Defends the nightly window: over midnight, and where the clocks are put forward or back."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from anime_pipeline.rendering.render_hours import RenderHours
from anime_pipeline.settings import Settings

ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")]
BERLIN = ZoneInfo("Europe/Berlin")
minutes = st.times().map(lambda at: at.replace(second=0, microsecond=0))
instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(
    lambda at: at.replace(tzinfo=timezone.utc)
)


def berlin(*at: int) -> datetime:
    return datetime(*at, tzinfo=BERLIN)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("now", "closes"),
    [
        (berlin(2026, 11, 22, 21, 59), None),
        (berlin(2026, 11, 22, 22, 0), berlin(2026, 11, 23, 7, 0)),
        (berlin(2026, 11, 22, 23, 59), berlin(2026, 11, 23, 7, 0)),
        (berlin(2026, 11, 23, 0, 0), berlin(2026, 11, 23, 7, 0)),
        (berlin(2026, 11, 23, 6, 59), berlin(2026, 11, 23, 7, 0)),
        (berlin(2026, 11, 23, 7, 0), None),
        (berlin(2026, 11, 23, 12, 0), None),
    ],
)
def test_a_night_goes_over_midnight(now: datetime, closes: datetime | None) -> None:
    hours = RenderHours(time(22), time(7), BERLIN)
    assert hours.closes_at(now) == closes
    if closes is None:
        assert hours.opens_at(now) > now


def test_a_night_is_longer_or_shorter_where_the_clocks_change() -> None:
    hours = RenderHours(time(22), time(7), BERLIN)
    forward, back = berlin(2026, 3, 28, 22), berlin(2026, 10, 24, 22)
    for began, length in ((forward, 8), (back, 10), (berlin(2026, 6, 1, 22), 9)):
        closes = hours.closes_at(began)
        assert closes is not None
        assert closes - began.astimezone(timezone.utc) == timedelta(hours=length)


def test_an_hour_that_comes_twice_is_no_second_window() -> None:
    hours = RenderHours(time(22), time(2, 30), BERLIN)
    first = datetime(2026, 10, 25, 0, 15, tzinfo=timezone.utc)  # 02:15, summer time
    assert hours.closes_at(first) == datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc)
    assert hours.closes_at(first + timedelta(hours=1)) is None, "02:15 again, winter time"


@given(minutes, minutes, st.sampled_from(ZONES), instants)
def test_a_window_that_is_open_ends_within_its_length_and_then_is_closed(
    begin: time, end: time, zone: ZoneInfo, now: datetime
) -> None:
    assume(begin != end)
    hours = RenderHours(begin, end, zone)
    closes = hours.closes_at(now)
    if closes is None:
        opens = hours.opens_at(now)
        assert now < opens <= now + timedelta(hours=50)
        assert hours.closes_at(opens - timedelta(microseconds=1)) is None
    else:
        assert now < closes <= now + timedelta(hours=25)
        assert hours.closes_at(closes - timedelta(microseconds=1)) == closes
        assert hours.closes_at(closes) is None or hours.closes_at(closes) != closes


@pytest.mark.parametrize(
    "wrong", [{"render_hours": "22-7"}, {"render_hours": "22:00-22:00"}, {"render_hours": "24:00-07:00"},
              {"time_zone": "Middle/Earth"}, {"time_zone": "../etc"}, {"daily_report": "7"}],
)  # fmt: skip
def test_wrong_hours_are_refused_when_the_settings_are_read(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_no_hours_are_all_hours() -> None:
    assert RenderHours.of(Settings()) is None
    found = RenderHours.of(Settings(render_hours="22:00-07:00", time_zone="Asia/Tokyo"))
    assert str(found) == "22:00-07:00"
