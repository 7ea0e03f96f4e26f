"""What can be wrong with a picture or a film, said in words."""

from __future__ import annotations

from anime_pipeline.errors import UserError


class MediaError(UserError):
    """A media file cannot be read, written or believed; the message names the file."""


class MissingMediaError(MediaError):
    """A media file that should be in the store is not there."""


class DamagedMediaError(MediaError):
    """A media file is cut short, or holds other bytes than its name says."""


class UnreachableStoreError(UserError):
    """A media store elsewhere cannot be reached, or fails: no file is at fault, so it is no MediaError."""
