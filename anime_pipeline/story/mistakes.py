"""What can be wrong with a production, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anime_pipeline.errors import UserError


class StoryError(UserError):
    """A story that cannot be read, written or found as asked."""


@dataclass(frozen=True)
class ProductionError:
    """One mistake in a production file or a shot list.

    ``line``, or the row of a shot list, counts from 1 (0: the file as a whole); ``field`` is the path of the
    value, such as ``episodes[0].scenes[2].cuts[1].kind``, empty for the file as a whole.
    """

    file: str
    line: int
    field: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.field}:" if self.field else ""
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{place}:{field} {self.message}{hint}"


class ProductionErrors(StoryError):  # noqa: N818 - it carries many
    """Everything that is wrong with a production file or a shot list, in the order of the file."""

    def __init__(self, errors: Sequence[ProductionError], of: str = "production file") -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.line, error.field, error.message)))
        count = "1 mistake" if len(self.errors) == 1 else f"{len(self.errors)} mistakes"
        lines = "\n".join(f"  {error}" for error in self.errors)
        super().__init__(f"{count} in the {of}; nothing was written.\n{lines}")
