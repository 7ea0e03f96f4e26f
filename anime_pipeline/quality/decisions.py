"""What every decision of a person about gates has: a name that answers for it, and mostly a reason."""

from __future__ import annotations

from anime_pipeline.quality.errors import QualityError

LONGEST_NAME = 120


class DecisionError(QualityError):
    """A decision that nobody answers for, that has no reason, or that there is nothing to decide about."""


def checked_name(by: str) -> str:
    """The name without blanks around it. Raises :class:`DecisionError` for none, or one that is too long."""
    name = by.strip()
    if not name:
        raise DecisionError("nobody is named who decides this", "say who: --by NAME")
    if len(name) > LONGEST_NAME:
        raise DecisionError(f"a name has at most {LONGEST_NAME} letters", "shorten --by")
    return name


def checked_reason(reason: str) -> str:
    """The reason without blanks around it. Raises :class:`DecisionError` where there is none."""
    text = reason.strip()
    if not text:
        raise DecisionError("no reason is given", "say why: --reason TEXT")
    return text
