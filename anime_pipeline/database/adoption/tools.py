"""The client programs of PostgreSQL: which ones fit a server, and running them without showing a password."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from psycopg2.extensions import make_dsn
from sqlalchemy import URL

from anime_pipeline.database.account import Account
from anime_pipeline.database.adoption.errors import FREE_SPACE, AdoptionError
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.installation import installation_for

_SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_WHEEL_MAJORS = ("16", "18")
_NEEDED = ("pg_dump", "pg_restore")
_RUNS = "See that the server runs and the account may read all tables, then run the command again."
_OTHER_OWNER = (
    "Some objects belong to another role: run this as a superuser (ANIME_DATABASE_URL), or give them to "
    "yours: REASSIGN OWNED BY <that role> TO <yours>;"
)
# What a program says → what to do.
_CURES = {
    "No space left": FREE_SPACE,
    "Disk quota exceeded": FREE_SPACE,
    "File too large": FREE_SPACE,
    "must be able to SET ROLE": _OTHER_OWNER,
    "must be member of role": _OTHER_OWNER,
    "must be owner of": _OTHER_OWNER,
}


@dataclass(frozen=True)
class Tools:
    """``pg_dump`` and ``pg_restore`` of one version."""

    major: int
    version: str
    folder: Path
    speaks_tls: bool

    def program(self, name: str) -> Path:
        """The path of a program."""
        return self.folder / name


def tools_for(server_major: int, url: URL) -> Tools:
    """The programs for a server: of its own major version, else the next newer one that is installed.

    A newer pg_dump reads an older server, but its dumps may hold settings that the older one doesn't know.
    Raises AdoptionError where all are older, or none can encrypt a connection whose URL asks for it.
    """
    needs_tls = url.query.get("sslmode") in ("require", "verify-ca", "verify-full")
    found = _installed()
    fitting = [
        tools for tools in found if tools.major >= server_major and (tools.speaks_tls or not needs_tls)
    ]
    if fitting:
        return min(fitting, key=lambda tools: (tools.major, not tools.speaks_tls))
    held = ", ".join(sorted({f"{tools.version} in {tools.folder}" for tools in found})) or "none"
    encrypted = " that can encrypt connections" if needs_tls else ""
    raise AdoptionError(
        f"There is no pg_dump of version {server_major} or newer{encrypted}; found: {held}.",
        f"Install PostgreSQL's client programs, for example `apt install postgresql-client-{server_major}`.",
    )


def run_tool(command: list[str | Path], url: URL | None, doing: str) -> str:
    """Run a program to its end and return what it printed; it writes files for its owner only.

    ``url`` is the database it connects to: the password goes through the child's environment alone.
    """
    process = start_tool(command, url)
    return finish_tool(process, doing)


def start_tool(command: list[str | Path], url: URL | None) -> subprocess.Popen[str]:
    """Start a program; :func:`finish_tool` waits for it."""
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PGAPPNAME": "anime_pipeline adoption",
        "PGCONNECT_TIMEOUT": "10",
    }
    arguments = [str(part) for part in command]
    if url is not None:
        arguments.append(f"--dbname={_dsn_without_password(url)}")
        if url.password is not None:
            environment["PGPASSWORD"] = str(url.password)
    return subprocess.Popen(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        umask=0o077,
    )


def finish_tool(process: subprocess.Popen[str], doing: str) -> str:
    """Wait for a program; AdoptionError with its own words where it failed."""
    output, said = process.communicate()
    if process.returncode == 0:
        return output
    if process.returncode == -signal.SIGXFSZ:
        raise AdoptionError(f"{doing} failed: the limit on the size of files was reached.", FREE_SPACE)
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise AdoptionError(f"{doing} failed: the program was ended by {name}.", "Run the command again.")
    reasons = [
        re.sub(r"^pg_\w+: (error: )?", "", line) for line in said.splitlines() if "warning:" not in line
    ]
    reason = "; ".join(reasons[:3]) or f"exit status {process.returncode}"
    remedy = next((cure for words, cure in _CURES.items() if words in said), _RUNS)
    raise AdoptionError(f"{doing} failed: {reason}.", remedy)


def _dsn_without_password(url: URL) -> str:
    _, arguments = url.get_dialect()().create_connect_args(url)
    arguments.pop("password", None)
    return make_dsn(**arguments)


@cache
def _installed() -> list[Tools]:
    folders = [path for pattern in _SYSTEM_FOLDERS for path in Path("/").glob(pattern.lstrip("/"))]
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        folders.insert(0, Path(on_path).parent)
    found = [_tools_in(folder, speaks_tls=True) for folder in folders]
    for major in _WHEEL_MAJORS:
        try:
            found.append(_tools_in(installation_for(Account(), major).bin, speaks_tls=False))
        except DatabaseError:
            continue
    return [tools for tools in found if tools is not None]


def _tools_in(folder: Path, speaks_tls: bool) -> Tools | None:
    if not all((folder / name).exists() for name in _NEEDED):
        return None
    done = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False)
    numbers = re.search(r"\) (\d+)[\w.]*", done.stdout)
    if done.returncode != 0 or numbers is None:
        return None
    return Tools(int(numbers[1]), numbers[0].removeprefix(") "), folder, speaks_tls)
