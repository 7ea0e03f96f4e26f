"""What it means when the database refuses an attempt because a budget is spent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from anime_pipeline.rendering.comfyui_errors import ComfyError

_REFUSALS = ("attempts_within_budget", "attempts_within_gpu_seconds")


@contextmanager
def refused_over_budget() -> Iterator[None]:
    """Turn such a refusal into a :class:`ComfyError` of class ``over_budget``, which ends the take."""
    try:
        yield
    except IntegrityError as error:
        said = getattr(error.orig, "diag", None)
        if said is None or said.constraint_name not in _REFUSALS:
            raise
        raise ComfyError(
            "over_budget", str(said.message_primary), "raise the cut's budget in the production file"
        ) from error
