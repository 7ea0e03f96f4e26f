"""Paths that clients name: only files of the folders that the studio has opened to them."""

from __future__ import annotations

from pathlib import Path

from anime_pipeline.settings import Settings
from anime_pipeline.web.problems import unprocessable

_REMEDY = "Put the file below one of them; ANIME_MEDIA_ROOTS names more."


def allowed_path(settings: Settings, text: str, pointer: str) -> Path:
    """The file that ``text`` names; relative paths begin in the first of ``settings.picture_roots``.

    Raises a problem, 422 at ``pointer``, for a path that leads out of the folders, by ``..`` or a link, and
    for one that names no ordinary file. What lies outside is not told: there or not, the answer is the same.
    """
    roots = settings.picture_roots
    shown = ", ".join(str(root) for root in roots)
    try:
        path = (roots[0] / Path(text)).resolve()
        inside = any(path.is_relative_to(root.resolve()) for root in roots)
        found = inside and path.is_file()
    except (OSError, ValueError, RuntimeError):
        raise unprocessable(pointer, "This is no path of a file.") from None
    if not inside:
        raise unprocessable(pointer, f"The path leads out of {shown}.", _REMEDY)
    if not found:
        raise unprocessable(pointer, f"There is no such file below {shown}.", _REMEDY)
    return path
