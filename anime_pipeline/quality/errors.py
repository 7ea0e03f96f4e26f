"""The mistakes and refusals of quality, each with what to do about it."""

from __future__ import annotations

from anime_pipeline.errors import UserError


class QualityError(UserError):
    """Something that measuring or judging cannot go on with."""


class UnknownScopeError(QualityError):
    """A scope key or phase that names nothing in the database."""


class GateNotPassedError(QualityError):
    """What was asked for waits behind a gate that is not passed."""


class EnrolmentError(QualityError):
    """Characters that cannot be enrolled."""


class CalibrationError(QualityError):
    """Pictures that say too little to calibrate with."""
