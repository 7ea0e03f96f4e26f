"""Why a message was not taken, and why the supervisor could not be spoken to."""

from __future__ import annotations

from typing import Literal

from anime_pipeline.errors import UserError

Trouble = Literal["away", "failing", "forgotten", "denied", "refused"]
"""away: no connection. failing: 5xx, a time-out, or an answer that is none. forgotten: 404 or 410.
denied: it wants something else of us first (401, 403, 429, a redirection). refused: this message is at fault.
"""


class SupervisorError(UserError):
    """A request to the supervisor that brought nothing; ``trouble`` says of which kind."""

    def __init__(self, trouble: Trouble, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy)
        self.trouble = trouble


class MessageError(UserError):
    """A message that is not taken; ``status`` is the HTTP status that says so."""

    status = 422

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy)


class ForgedError(MessageError):
    """No signature, or not one that the secret makes."""

    status = 401


class LateError(MessageError):
    """Signed, at a time outside the replay window."""

    status = 401


class ReplayedError(MessageError):
    """The very message that was taken before, or its id with another content."""

    status = 409


class TooLargeError(MessageError):
    """More bytes than a message may have."""

    status = 413


class NotConfiguredError(MessageError):
    """This installation has no secret, so that it can trust no message."""

    status = 409
