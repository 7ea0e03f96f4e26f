"""The mistake of a user: said in words, with what to do about it, and never with a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can mend; ``remedy`` is the command or change that mends it."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
