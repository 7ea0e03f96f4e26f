"""Restoring a backup into an empty database, and proving that it holds what the manifest says."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, text

from anime_pipeline.database.adoption.connections import transaction
from anime_pipeline.database.adoption.errors import AdoptionError, in_words
from anime_pipeline.database.adoption.fingerprints import Fingerprint, all_fingerprints, differing
from anime_pipeline.database.adoption.tools import run_tool, tools_for

RESTORE_JOBS = 2


def restore_into(url: URL, dump: Path, *, keep_owners: bool) -> None:
    """Restore a dump into the empty database of ``url``; AdoptionError where a single statement fails.

    Without ``keep_owners`` everything belongs to the restoring account and grants are left out, for servers
    that don't have the roles.
    """
    with in_words("Restoring"), transaction(url, read_only=True) as connection:
        version = connection.scalar(text("SELECT current_setting('server_version_num')::integer"))
        # The dump creates schema public itself where it was changed; an empty one is in nobody's way.
    tools = tools_for(int(version or 0) // 10_000, url)
    command: list[str | Path] = [tools.program("pg_restore"), "--exit-on-error", f"--jobs={RESTORE_JOBS}"]
    if not keep_owners:
        command += ["--no-owner", "--no-privileges"]
    run_tool([*command, dump], url, "Restoring the backup")


def expect_content(url: URL, expected: dict[str, Fingerprint], what: str) -> None:
    """Raise AdoptionError unless the database of ``url`` holds exactly ``expected``."""
    with in_words(f"Verifying {what}"), transaction(url, read_only=True) as connection:
        found = all_fingerprints(connection)
    differences = differing(expected, found)
    if differences:
        raise AdoptionError(
            f"{what} doesn't hold what the manifest says.", "Don't use it.", tuple(differences)
        )
