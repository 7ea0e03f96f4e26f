"""What every node of the preview server declares: /object_info and validation both read it from here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.frames import Frames

# An input's type (a name, or the list of a combo's choices) and its options, as ComfyUI writes them.
InputSpec = tuple[str | list[str], dict[str, Any]]
InputTypes = dict[str, dict[str, InputSpec]]


class RunContext(ABC):
    """What a node may ask of the server while it runs."""

    folders: Folders
    prompt: Mapping[str, Any]
    extra_pnginfo: Mapping[str, Any] | None

    @abstractmethod
    def watch(self, frames: Frames) -> Iterable[Any]:
        """The frames one by one, with a progress message for each and a stop when interrupted."""


@dataclass(frozen=True)
class NodeResult:
    """What a node returns: a value per output, and for output nodes what clients are shown."""

    values: tuple[Any, ...] = ()
    ui: dict[str, Any] | None = field(default=None)


class Node(ABC):
    """One node class. Subclasses declare; :meth:`run` gets each declared input by its name."""

    class_type: ClassVar[str]
    display_name: ClassVar[str]
    description: ClassVar[str]
    category: ClassVar[str] = "image"
    outputs: ClassVar[tuple[tuple[str, str], ...]] = ()  # (type, name) of each
    is_output: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        """The inputs under ``required`` and ``optional``, in order."""

    @classmethod
    def check(cls, folders: Folders, inputs: Mapping[str, Any]) -> dict[str, str]:
        """What is wrong with given values (not links) beyond their type, by input; empty when all is well."""
        return {}

    @classmethod
    def checked_inputs(cls) -> frozenset[str]:
        """Inputs whose value :meth:`check` judges in place of the ordinary rules of its type."""
        return frozenset()

    @classmethod
    def fingerprint(cls, folders: Folders, inputs: Mapping[str, Any]) -> str:
        """What beside the inputs decides the result, such as a picture's bytes; part of the cache's key."""
        return ""

    @abstractmethod
    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        """Do the work. Any exception becomes an ``execution_error`` that names this node."""

    @classmethod
    def returns(cls) -> tuple[str, ...]:
        """The types of the outputs."""
        return tuple(kind for kind, _ in cls.outputs)


def spec(kind: str | list[str], **options: Any) -> InputSpec:
    """An input's declaration."""
    return kind, options
