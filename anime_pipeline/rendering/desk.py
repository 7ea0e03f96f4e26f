"""What the threads of one drain share: the takes in hand, what was told, and the mistake that ends it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from datetime import datetime, timezone

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.events import EventKind, OnEvent, RenderEvent
from anime_pipeline.rendering.queue import Leased, give_back
from anime_pipeline.rendering.worker_identity import new_worker_id
from anime_pipeline.settings import Settings

_log = logging.getLogger(__name__)


class Desk:
    """The middle of one drain. ``job_ids`` None: every queued take; ``until``: no take is begun after it."""

    def __init__(
        self,
        settings: Settings,
        job_ids: Collection[int] | None,
        on_event: OnEvent | None,
        until: datetime | None = None,
    ) -> None:
        self.settings = settings
        self.job_ids = frozenset(job_ids) if job_ids is not None else None
        self.store = MediaStore.of(settings)
        self.worker_id = new_worker_id()
        self.stop = threading.Event()
        self.handled: set[int] = set()
        self.broken: BaseException | None = None
        self.total = 0
        self.staffed: Sequence[str] = ()
        """The servers that threads of this drain work on."""
        self._on_event = on_event
        self._until = until
        self._lock = threading.RLock()
        self._tokens: set[int] = set()
        self._unreported: set[int] = set()
        self._done = 0

    @property
    def is_closing(self) -> bool:
        """Whether what is in hand is finished and nothing is begun any more."""
        return self._until is not None and datetime.now(timezone.utc) >= self._until

    def take(self, leased: Leased) -> None:
        """A take is in hand: its lease is kept alive."""
        with self._lock:
            self._tokens.add(leased.token)
            self.handled.add(leased.job_id)

    def drop(self, leased: Leased, reported: bool = True) -> None:
        """A take is out of hand. Where that could not be ``reported``, its lease is given back later."""
        with self._lock:
            self._tokens.discard(leased.token)
            if not reported:
                self._unreported.add(leased.token)

    def tokens(self) -> set[int]:
        """The leases in hand."""
        with self._lock:
            return set(self._tokens)

    def give_back_unreported(self) -> None:
        """Free the takes whose end a restart of the database swallowed, so that they are adopted at once."""
        with self._lock:
            tokens = set(self._unreported)
        if tokens:
            with session_scope(self.settings) as session:
                give_back(session, tokens)
            with self._lock:
                self._unreported -= tokens

    def tell(
        self,
        kind: EventKind,
        server_url: str,
        leased: Leased,
        message: str = "",
        fraction: float | None = None,
    ) -> None:
        """Tell the caller of the drain, one event at a time."""
        with self._lock:
            if kind in ("finished", "failed"):
                self._done += 1
            if self._on_event is not None:
                self._on_event(
                    RenderEvent(
                        kind, leased.job_id, leased.cut_key, leased.take_number, server_url,
                        self._done, max(self.total, self._done), message, fraction,
                    )
                )  # fmt: skip

    def end(self, error: BaseException) -> None:
        """End the drain because of a mistake, which its caller gets to see."""
        _log.error("the drain ends: %r", error)  # said here too, since a Ctrl-C would hide it
        with self._lock:
            self.broken = self.broken or error
        self.stop.set()
