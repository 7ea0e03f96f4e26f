"""Holds Python's cycle collector off while much is read at once.

A full collection walks everything that the process holds, its libraries' quarter of a million objects too,
and one is due each time a quarter as much again has been made and kept: never while a thousand cuts are read,
several times while ten thousand are. Rows, dicts and dataclasses read from a file or a database have no
cycles, so that it finds nothing; what is let go of is freed at once all the same, by its reference count.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cycle_collection_paused() -> Iterator[None]:
    """No cycle is collected in this block, or in the function that is decorated with this.

    It holds for the whole process. Of blocks in several threads at once the first one that ends lets the
    collector run again, so that it cannot be held off for good; nested ones change nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
