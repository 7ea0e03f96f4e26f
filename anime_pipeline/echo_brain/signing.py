"""Signatures: HMAC-SHA256 over the time and the bytes of a message, in both directions.

``X-Echo-Timestamp`` has seconds since 1970 (a decimal fraction is allowed, so that two sendings of one
message differ), ``X-Echo-Signature`` is ``sha256=`` and the HMAC in hexadecimal of ``<timestamp>.<body>``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

from anime_pipeline.echo_brain.errors import ForgedError, LateError

TIMESTAMP_HEADER = "X-Echo-Timestamp"
SIGNATURE_HEADER = "X-Echo-Signature"
REPLAY_WINDOW_SECONDS = 300.0
SHORTEST_SECRET = 16
_TIMESTAMP = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The HMAC of a message, 64 lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def signed_headers(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The two headers that go with a message sent at ``now``."""
    timestamp = f"{now.timestamp():.6f}"
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: f"sha256={signature(secret, timestamp, body)}"}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The signature of a message that is genuine and in time, as 64 hexadecimal digits.

    Raises :class:`ForgedError` or :class:`LateError`; time is looked at only after the signature holds, so
    that a forger learns nothing of our clock. ``headers`` may be in any case if it looks names up so.
    """
    timestamp = headers.get(TIMESTAMP_HEADER) or headers.get(TIMESTAMP_HEADER.lower())
    given = headers.get(SIGNATURE_HEADER) or headers.get(SIGNATURE_HEADER.lower())
    if timestamp is None or given is None:
        raise ForgedError(
            "The message is not signed.", f"send {TIMESTAMP_HEADER} and {SIGNATURE_HEADER}: see ECHO_BRAIN.md"
        )
    match = _SIGNATURE.fullmatch(given)
    # Compared even where the form is wrong, so that all wrong ones take the same time.
    right = signature(secret, timestamp, body) if _TIMESTAMP.fullmatch(timestamp) else "0" * 64
    if not hmac.compare_digest(right, match[1] if match else "") or not _TIMESTAMP.fullmatch(timestamp):
        raise ForgedError(
            "The signature is not one that our secret makes.",
            "set ANIME_ECHO_BRAIN_SECRET to the supervisor's secret, on both sides",
        )
    late = now.timestamp() - float(timestamp)
    if abs(late) > REPLAY_WINDOW_SECONDS:
        where = "ago" if late > 0 else "ahead of our clock"
        raise LateError(
            f"The message was signed {abs(late):.0f} s {where}; {REPLAY_WINDOW_SECONDS:.0f} s are allowed.",
            "sign it anew when it is sent, and set both clocks",
        )
    return right
