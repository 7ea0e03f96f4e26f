"""Models that are loaded once per process, least recently used first out when they outgrow their budget."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast

from anime_pipeline.settings import get_settings


class Model(Protocol):
    """Something loaded that says how much memory it holds."""

    @property
    def bytes(self) -> int:
        """Memory of its weights."""


Loaded = TypeVar("Loaded", bound=Model)


class ModelRegistry:
    """Loaded models by key. The one in use stays, however large; others leave when the budget is exceeded."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._models: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, load: Callable[[], Loaded]) -> Loaded:
        """The model of this key, loaded if it isn't here. Ask again for each use, and keep no reference."""
        with self._lock:
            if key not in self._models:
                self._models[key] = load()
            self._models.move_to_end(key)
            while len(self._models) > 1 and self.bytes > self._budget:
                self._models.popitem(last=False)
            return cast(Loaded, self._models[key])

    @property
    def bytes(self) -> int:
        """Memory of all models that are loaded."""
        return sum(model.bytes for model in self._models.values())

    @property
    def keys(self) -> tuple[Hashable, ...]:
        """What is loaded, least recently used first."""
        return tuple(self._models)


@lru_cache(maxsize=1)
def models() -> ModelRegistry:
    """The registry of this process; its budget is the setting ANIME_MODEL_MEMORY_GB."""
    return ModelRegistry(round(get_settings().model_memory_gb * 2**30))
