"""How long to wait after so many failures."""

from __future__ import annotations

import random
from datetime import timedelta

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 300.0


def wait_after(failures: int) -> timedelta:
    """1 s doubling to 300 s, with jitter below it, so that workers do not come back all at once."""
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 30))
    return timedelta(seconds=longest * random.uniform(0.5, 1.0))
