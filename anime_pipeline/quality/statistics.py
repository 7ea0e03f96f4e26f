"""How sure a pass rate is."""

from __future__ import annotations

import math

NORMAL_975 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution: two-sided 95 %."""


def wilson_interval(passed: int, total: int, z: float = NORMAL_975) -> tuple[float, float]:
    """The Wilson score interval of a share, both ends in 0 to 1.

    Unlike the plain normal interval it stays in range and says something for 5 of 5: 0.566 to 1. Raises
    ValueError unless 0 ≤ passed ≤ total and total > 0. Source: E. B. Wilson, JASA 22 (1927) 209–212.
    """
    if total <= 0 or not 0 <= passed <= total:
        raise ValueError(f"{passed} of {total} is no share")
    share, weight = passed / total, z * z / total
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    # Rounding must not push an end of a certain share past it.
    return (0.0 if passed == 0 else centre - half, 1.0 if passed == total else centre + half)
