"""What a user can mend, as a failure that Dagster shows in words first: the mistake and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from anime_pipeline.errors import UserError


@contextmanager
def in_words(shown: Mapping[str, dg.MetadataValue] | None = None) -> Iterator[None]:
    """Let a step fail with the mistake and what mends it; around a block, or as a function's decorator.

    Not as a generator's: it would be left before the first value is asked for.
    """
    try:
        yield
    except UserError as error:
        raise dg.Failure(said(error), metadata=shown, allow_retries=False) from None


def said(error: UserError) -> str:
    """A mistake and what mends it."""
    return f"{str(error).rstrip('.')}. To mend it: {error.remedy}" if error.remedy else str(error)
