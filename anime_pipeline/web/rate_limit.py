"""How many requests a caller may send: a bucket of tokens each, in this process.

Several worker processes each keep their own buckets, so their number multiplies the limit.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from anime_pipeline.web.problems import ProblemError

_MOST_CALLERS = 10_000


class RateLimit:
    """``per_minute`` requests for each caller, at most a fifth of them at once; 0: no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._capacity = max(1.0, per_minute / 5)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, caller: str) -> None:
        """Count one request. Raises a problem, 429 with Retry-After, where none is left."""
        if not self._rate:
            return
        now = self._clock()
        tokens, then = self._buckets.pop(caller, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > _MOST_CALLERS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = max(1, math.ceil((1 - tokens) / self._rate))
            raise ProblemError(
                429,
                "Too many requests.",
                f"Come back in {wait} s; ANIME_API_REQUESTS_PER_MINUTE sets the limit.",
                headers={"Retry-After": str(wait)},
            )
