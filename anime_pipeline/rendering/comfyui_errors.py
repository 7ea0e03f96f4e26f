"""What can go wrong on a ComfyUI server, by class, and what each class means for the take."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from requests import exceptions

from anime_pipeline.errors import UserError
from anime_pipeline.rendering.model_files import folder_of
from anime_pipeline.rendering.templates import Graph, title_of

ErrorClass = Literal[
    "validation", "missing_node", "missing_model", "out_of_memory", "connection", "lost", "stall", "contract",
    "execution", "interrupted", "over_budget",
]  # fmt: skip


@dataclass(frozen=True)
class Policy:
    """What a class of failure means.

    ``retried``: another attempt may help. ``counted``: it uses up one of the take's attempts. ``blames``: it
    counts towards blocking the server. ``elsewhere``: other servers are tried first, or, where ``unfit``,
    only others. ``at_most``: so many failures of the class end the take, however many attempts it has left
    (connection and lost are counted together).
    """

    retried: bool
    counted: bool = True
    blames: bool = False
    elsewhere: bool = False
    unfit: bool = False
    at_most: int | None = None


POLICIES: dict[str, Policy] = {
    "validation": Policy(retried=False),
    "missing_node": Policy(retried=False, unfit=True),
    "missing_model": Policy(retried=False, unfit=True),
    "interrupted": Policy(retried=False),
    "over_budget": Policy(retried=False, counted=False),
    "out_of_memory": Policy(retried=True),
    "stall": Policy(retried=True, blames=True, elsewhere=True),
    "contract": Policy(retried=True, blames=True, elsewhere=True, at_most=2),
    "execution": Policy(retried=True),
    "connection": Policy(retried=True, counted=False, blames=True, at_most=10),
    "lost": Policy(retried=True, counted=False, blames=True, at_most=10),
}


# Servers and their nodes say what they like, and PostgreSQL takes no NUL and no half of a character.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class ComfyError(UserError):
    """A failure of a render, with its class."""

    def __init__(self, error_class: ErrorClass, message: str, remedy: str | None = None) -> None:
        super().__init__(_UNSTORABLE.sub("\ufffd", message), remedy)
        self.error_class: ErrorClass = error_class

    @property
    def policy(self) -> Policy:
        """Whether to try again, and whether it counts."""
        return POLICIES[self.error_class]


class ComfyConnectionError(ComfyError):
    """The server did not answer in time, not to the end, or not at all."""

    def __init__(self, url: str, cause: Exception) -> None:
        said, remedy = f"{url} does not answer", "is ComfyUI running there?"
        if isinstance(cause, exceptions.SSLError):
            remedy = "name the certificate of its authority in REQUESTS_CA_BUNDLE"
        elif isinstance(cause, (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError)):
            said, remedy = f"{url} broke off its answer", "look at its log, and at that of a proxy before it"
        super().__init__("connection", f"{said} ({type(cause).__name__})", remedy)


class WaitingStallError(ComfyError):
    """Nothing moved while the prompt waited: the take never ran, so that this costs it no attempt."""

    @property
    def policy(self) -> Policy:
        """As of a stall, but not counted."""
        return replace(POLICIES["stall"], counted=False, at_most=POLICIES["lost"].at_most)


class RejectedPromptError(ComfyError):
    """The server will not run this graph; ``lacks_picture``: not before an input picture is sent to it."""

    def __init__(
        self,
        message: str,
        remedy: str | None = None,
        error_class: ErrorClass = "validation",
        lacks_picture: bool = False,
    ) -> None:
        super().__init__(error_class, message, remedy)
        self.lacks_picture = lacks_picture


def rejection(graph: Graph, answer: dict[str, Any]) -> RejectedPromptError:
    """The error for an answer of ``POST /prompt``, naming node titles and inputs."""
    told = [
        (error, _said(graph, node_id, error), _missing_model(graph, node_id, error))
        for node_id, node in sorted((answer.get("node_errors") or {}).items())
        for error in node.get("errors", [])
    ]
    if told:
        models = list(dict.fromkeys(model for _, _, model in told if model))
        remedy = f"put {', '.join(models)} into ComfyUI's `models`, or name another" if models else None
        said = "; ".join(dict.fromkeys(text for _, text, _ in told))
        lacks_picture = any("Invalid image file" in str(error.get("details")) for error, _, _ in told)
        return RejectedPromptError(said, remedy, "missing_model" if models else "validation", lacks_picture)
    error = answer.get("error") or {}
    if not isinstance(error, dict):
        error = {"message": str(error)}
    extra = error.get("extra_info") or {}
    if (
        error.get("type") == "missing_node_type"
        or "class_type" in extra
        or "does not exist" in str(error.get("message"))
    ):
        name = extra.get("class_type") or error.get("message")
        return RejectedPromptError(
            f"the server has no node {name}", "install the custom node that brings it", "missing_node"
        )
    details = f": {error['details']}" if error.get("details") else ""
    return RejectedPromptError(f"{error.get('message', 'the server refused the prompt')}{details}")


def failure(graph: Graph, entry: dict[str, Any]) -> ComfyError:
    """The error for a history entry whose status is not success."""
    messages = dict(reversed([(kind, data) for kind, data in entry.get("status", {}).get("messages", [])]))
    if "execution_interrupted" in messages:
        return ComfyError("interrupted", "the render was interrupted on the server")
    error = messages.get("execution_error", {})
    node_id = str(error.get("node_id", ""))
    title = title_of(graph[node_id]) if node_id in graph else error.get("node_type", "an unknown node")
    said = " ".join(str(error.get("exception_message", "no message")).split())
    out_of_memory = "OutOfMemory" in str(error.get("exception_type")) or "out of memory" in said.lower()
    return ComfyError("out_of_memory" if out_of_memory else "execution", f"node “{title}” failed: {said}")


def _said(graph: Graph, node_id: str, error: dict[str, Any]) -> str:
    node = graph.get(node_id)
    title = title_of(node) if node else f"#{node_id}"
    name = (error.get("extra_info") or {}).get("input_name") or error.get("details")
    details = str(error.get("details") or "")
    shown = f" ({details})" if details and details != name else ""
    return f"node “{title}”, input {name}: {error.get('message', error.get('type'))!s}{shown[:300]}"


def _missing_model(graph: Graph, node_id: str, error: dict[str, Any]) -> str | None:
    """``folder/file`` where a model is what is not in a list; None for another mistake."""
    extra, node = error.get("extra_info") or {}, graph.get(node_id)
    if error.get("type") != "value_not_in_list" or node is None:
        return None
    folder = folder_of(node["class_type"], str(extra.get("input_name")))
    return f"{folder}/{extra.get('received_value')}" if folder is not None else None
