"""Defends signatures: what we sign holds, and nothing else does, in time and content."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.echo_brain.errors import ForgedError, LateError
from anime_pipeline.echo_brain.signing import (
    REPLAY_WINDOW_SECONDS,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    signature,
    signed_headers,
    verify,
)

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc))
SECRETS = st.text(min_size=16, max_size=64)
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@given(SECRETS, st.binary(max_size=500), MOMENTS, st.floats(-299.9, 299.9))
def test_what_is_signed_holds_within_the_window(secret: str, body: bytes, now: datetime, off: float) -> None:
    headers = signed_headers(secret, body, now)
    found = verify(secret, headers, body, now + timedelta(seconds=off))
    assert headers[SIGNATURE_HEADER] == f"sha256={found}"


@given(SECRETS, st.binary(max_size=500), MOMENTS, st.floats(300.1, 10**8), st.booleans())
def test_late_and_early_ones_are_refused(
    secret: str, body: bytes, now: datetime, off: float, early: bool
) -> None:
    headers = signed_headers(secret, body, now)
    with pytest.raises(LateError):
        verify(secret, headers, body, now + timedelta(seconds=-off if early else off))


@given(SECRETS, SECRETS, st.binary(max_size=100), st.binary(max_size=100))
def test_another_secret_or_body_is_forged(secret: str, other: str, body: bytes, changed: bytes) -> None:
    headers = signed_headers(secret, body, NOW)
    if other != secret:
        with pytest.raises(ForgedError):
            verify(other, headers, body, NOW)
    if changed != body:
        with pytest.raises(ForgedError):
            verify(secret, headers, changed, NOW)


@given(st.dictionaries(st.sampled_from([TIMESTAMP_HEADER, SIGNATURE_HEADER]), st.text(max_size=90)))
def test_headers_of_any_kind_are_forged_and_nothing_else(headers: dict[str, str]) -> None:
    with pytest.raises(ForgedError):
        verify("a secret of both sides", headers, b"{}", NOW)


@given(
    st.sampled_from(["", "-5", "1e9", "nan", "inf", "1772366400 ", "１７７２３６６４００", "0x10", "9" * 40])
)
def test_a_timestamp_that_is_no_number_is_forged_though_it_is_signed(timestamp: str) -> None:
    signed = f"sha256={signature('a secret of both sides', timestamp, b'')}"
    with pytest.raises(ForgedError):
        verify("a secret of both sides", {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signed}, b"", NOW)


def test_time_is_part_of_what_is_signed() -> None:
    headers = signed_headers("a secret of both sides", b"{}", NOW - timedelta(hours=1))
    headers[TIMESTAMP_HEADER] = f"{NOW.timestamp():.6f}"
    with pytest.raises(ForgedError):
        verify("a secret of both sides", headers, b"{}", NOW)


def test_two_sendings_of_one_message_differ() -> None:
    later = NOW + timedelta(microseconds=100)
    assert signed_headers("a secret of both sides", b"{}", NOW) != signed_headers(
        "a secret of both sides", b"{}", later
    )
    assert REPLAY_WINDOW_SECONDS <= 300
