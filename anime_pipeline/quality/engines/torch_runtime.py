"""PyTorch, imported when first used and set for gates: full fp32, and batches that shrink for memory."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from anime_pipeline.errors import UserError
from anime_pipeline.settings import get_settings

Tensor = Any
"""A torch.Tensor; torch is not imported for its type."""
Part = TypeVar("Part")

# Larger batches take longer: what a layer writes has then left the caches before the next one reads it.
CPU_BATCH_BYTES = 96 * 1024 * 1024
CUDA_PROVIDER = "CUDAExecutionProvider"
NO_MEMORY = ("out of memory", "can't allocate memory", "failed to allocate memory", "bad_alloc")

_log = logging.getLogger(__name__)


class DeviceError(UserError):
    """The device that the settings name is not on this machine."""


@lru_cache(maxsize=1)
def torch() -> Any:
    """The module. TensorFloat-32 is off: its ten bits of mantissa move a score in the third decimal."""
    module = importlib.import_module("torch")
    module.backends.cuda.matmul.allow_tf32 = False
    module.backends.cudnn.allow_tf32 = False
    return module


def functional() -> Any:
    """torch.nn.functional."""
    return torch().nn.functional


def device() -> str:
    """``cpu``, ``cuda`` or ``mps``: the setting ANIME_DEVICE, or the fastest found.

    Raises :class:`DeviceError` when the setting names one that this machine does not have.
    """
    wanted = get_settings().device
    found = ["cpu"]
    if torch().backends.mps.is_available():
        found.insert(0, "mps")
    if torch().cuda.is_available():
        found.insert(0, "cuda")
    if wanted == "auto":
        return found[0]
    if wanted not in found:
        raise DeviceError(
            f"ANIME_DEVICE is {wanted}, and PyTorch finds only {', '.join(found)} here", "ANIME_DEVICE=auto"
        )
    return wanted


def load_state(path: Path) -> dict[str, Any]:
    """The tensors of a checkpoint by name, on the CPU. No code of the file is run, whatever it contains.

    ``.safetensors`` is read as such; anything else by ``torch.load(weights_only=True)``. Training scripts
    leave their command line in a checkpoint: an ``argparse.Namespace`` is read and ignored.
    """
    if path.suffix == ".safetensors":
        loaded: dict[str, Any] = importlib.import_module("safetensors.torch").load_file(str(path))
        return loaded
    with torch().serialization.safe_globals([argparse.Namespace]):
        loaded = torch().load(str(path), map_location="cpu", weights_only=True)
    return loaded


def bytes_of(tensors: dict[str, Tensor]) -> int:
    """Memory that tensors hold."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def batch_size(bytes_each: int) -> int:
    """How many items to work on at once when one takes about ``bytes_each`` while it is worked on."""
    budget = CPU_BATCH_BYTES
    if device() == "cuda":
        budget = torch().cuda.mem_get_info()[0] // 3
    return int(max(1, budget // max(1, bytes_each)))


def in_batches(count: int, size: int, compute: Callable[[slice], Part]) -> Iterator[Part]:
    """``compute`` for consecutive slices of ``range(count)``, at most ``size`` long.

    Out of memory halves the size and goes on from the same place; a single item that doesn't fit is an error.
    """
    start = 0
    while start < count:
        stop = min(count, start + size)
        try:
            part = compute(slice(start, stop))
        except Exception as error:
            if stop - start == 1 or not _is_out_of_memory(error):
                raise
            size = (stop - start) // 2
            _log.warning("Out of memory with %d at once; going on with %d", stop - start, size)
        else:
            yield part
            start = stop
            continue
        used = sys.modules.get("torch")  # onnxruntime's batches come here without it
        if used is not None and used.cuda.is_available():  # only here is the failed try's memory let go of
            used.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    """Neither PyTorch nor onnxruntime has one type for it, but their words are few."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in NO_MEMORY)


def onnx_providers() -> list[str]:
    """onnxruntime's providers for the device of the settings; for ``auto`` CUDA's where its build has it.

    Raises :class:`DeviceError` when the setting names a device that it has none for.
    """
    available = importlib.import_module("onnxruntime").get_available_providers()
    wanted = get_settings().device
    if wanted not in ("auto", "cpu") and (wanted != "cuda" or CUDA_PROVIDER not in available):
        raise DeviceError(
            f"ANIME_DEVICE is {wanted}, and the onnxruntime here has only {', '.join(available)}",
            f"{'pip install onnxruntime-gpu, or ' if wanted == 'cuda' else ''}ANIME_DEVICE=auto",
        )
    gpu = [CUDA_PROVIDER] if CUDA_PROVIDER in available and wanted != "cpu" else []
    return [*gpu, "CPUExecutionProvider"]


def provider_of(sessions: Iterable[Any]) -> str:
    """What onnxruntime truly computes these sessions with: it goes on with the CPU where CUDA does not start.

    Raises :class:`DeviceError` where it did so although the setting names CUDA.
    """
    used = {session.get_providers()[0] for session in sessions}
    if get_settings().device == "cuda" and used != {CUDA_PROVIDER}:
        raise DeviceError(
            f"ANIME_DEVICE is cuda, and onnxruntime could not start CUDA: it fell back to "
            f"{', '.join(sorted(used - {CUDA_PROVIDER}))}",
            "install the CUDA and cuDNN that its version asks for, or ANIME_DEVICE=auto",
        )
    return ", ".join(sorted(used))
