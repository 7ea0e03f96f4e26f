"""Whether a prompt can run: ComfyUI's rules, error types and fields, from the nodes' declarations."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.nodes import NODES
from anime_pipeline.preview.nodes.base import InputSpec, Node

_PLAIN_TYPES: dict[str, type] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
_LONG_LIST = 20


@dataclass
class Validation:
    """An ``error`` refuses the prompt; else ``outputs`` run, and ``node_errors`` says what does not."""

    error: dict[str, Any] | None = None
    outputs: list[str] = field(default_factory=list)
    node_errors: dict[str, dict[str, Any]] = field(default_factory=dict)


def problem(kind: str, message: str, details: str = "", **extra_info: Any) -> dict[str, Any]:
    """An error object of the protocol."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra_info}


def validate_prompt(prompt: dict[str, Any], folders: Folders) -> Validation:
    """Judge a whole prompt. Plain values are converted in place (``"7"`` to 7 for an INT)."""
    for node_id, node in prompt.items():
        unknown = _unknown_class(node_id, node)
        if unknown:
            return Validation(error=unknown)
    try:
        return _validate_outputs(prompt, folders)
    except RecursionError:
        return Validation(error=problem("invalid_prompt", "The chain of nodes is too long to be followed"))


def _validate_outputs(prompt: dict[str, Any], folders: Folders) -> Validation:
    targets = [node_id for node_id, node in prompt.items() if NODES[node["class_type"]].is_output]
    if not targets:
        return Validation(error=problem("prompt_no_outputs", "Prompt has no outputs"))
    checker = _Checker(prompt, folders)
    result = Validation()
    for target in targets:
        if checker.is_valid(target):
            result.outputs.append(target)
        for node_id in checker.broken_above(target):
            entry = result.node_errors.setdefault(
                node_id,
                {
                    "errors": checker.errors[node_id],
                    "dependent_outputs": [],
                    "class_type": prompt[node_id]["class_type"],
                },
            )
            entry["dependent_outputs"].append(target)
    if not result.outputs:
        own = (error for target in targets for error in checker.errors[target])
        details = "\n".join(f"{error['message']}: {error['details']}" for error in own)
        result.error = problem(
            "prompt_outputs_failed_validation", "Prompt outputs failed validation", details
        )
    return result


def _unknown_class(node_id: str, node: Any) -> dict[str, Any] | None:
    class_type = node.get("class_type") if isinstance(node, dict) else None
    if isinstance(class_type, str) and class_type in NODES:
        if isinstance(node.setdefault("inputs", {}), dict):
            return None
        return problem("invalid_prompt", f"Node {class_type} has inputs that are not an object", node_id)
    meta = node.get("_meta") if isinstance(node, dict) else None
    title = meta.get("title", class_type) if isinstance(meta, dict) else class_type
    message = (
        f"Node '{title}' not found. The custom node may not be installed."
        if class_type
        else f"Node 'ID #{node_id}' has no class_type. The workflow may be corrupted."
    )
    return problem(
        "missing_node_type",
        message,
        f"Node ID '#{node_id}'",
        node_id=node_id,
        class_type=class_type,
        node_title=title,
    )


class _Checker:
    """Checks each node once, however many outputs need it."""

    def __init__(self, prompt: dict[str, Any], folders: Folders) -> None:
        self.errors: dict[str, list[dict[str, Any]]] = {}
        self._prompt = prompt
        self._folders = folders
        self._parents: dict[str, list[str]] = {}
        self._valid: dict[str, bool] = {}
        self._judging: list[str] = []

    def is_valid(self, node_id: str) -> bool:
        """Whether the node and everything above it is in order."""
        if node_id in self._judging:
            loop = " -> ".join([*self._judging[self._judging.index(node_id) :], node_id])
            self.errors[node_id].append(problem("dependency_cycle", "Dependency cycle detected", loop))
            return False
        if node_id not in self._valid:
            self._judging.append(node_id)
            self._parents[node_id], self.errors[node_id] = [], []
            try:
                self.errors[node_id].extend(self._node_errors(node_id))
            except Exception as error:
                self.errors[node_id].append(_exception("exception_during_validation", error))
            above = [self.is_valid(parent) for parent in self._parents[node_id]]
            self._valid[node_id] = not self.errors[node_id] and all(above)
            self._judging.pop()
        return self._valid[node_id]

    def broken_above(self, node_id: str, seen: set[str] | None = None) -> Iterator[str]:
        """The nodes with errors of their own among this one and its ancestors."""
        seen = set() if seen is None else seen
        if node_id in seen:
            return
        seen.add(node_id)
        for parent in self._parents.get(node_id, ()):
            yield from self.broken_above(parent, seen)
        if self.errors.get(node_id):
            yield node_id

    def _node_errors(self, node_id: str) -> Iterator[dict[str, Any]]:
        node = self._prompt[node_id]
        node_class = NODES[node["class_type"]]
        inputs = node["inputs"]
        declared = node_class.input_types(self._folders)
        for group in ("required", "optional"):
            for name, input_spec in declared.get(group, {}).items():
                if name in inputs:
                    yield from self._input_errors(node_id, node_class, name, input_spec)
                elif group == "required":
                    yield problem(
                        "required_input_missing", "Required input is missing", name, input_name=name
                    )
        plain = {name: value for name, value in inputs.items() if not isinstance(value, list)}
        for name, wrong in node_class.check(self._folders, plain).items():
            yield problem(
                "custom_validation_failed",
                "Custom validation failed for node",
                f"{name} - {wrong}",
                input_name=name,
                input_config=_config(declared, name),
                received_value=plain[name],
            )

    def _input_errors(
        self, node_id: str, node_class: type[Node], name: str, input_spec: InputSpec
    ) -> Iterator[dict[str, Any]]:
        inputs = self._prompt[node_id]["inputs"]
        value = inputs[name]
        if isinstance(value, list):
            yield from self._link_errors(node_id, name, value, input_spec)
            return
        try:
            inputs[name] = value = _converted(value, input_spec[0])
        except (TypeError, ValueError, OverflowError) as error:
            yield problem(
                "invalid_input_type",
                f"Failed to convert an input value to a {input_spec[0]} value",
                f"{name}, {value}, {error}",
                input_name=name,
                input_config=list(input_spec),
                received_value=value,
                exception_message=str(error),
            )
            return
        if name not in node_class.checked_inputs():
            yield from _value_errors(name, value, input_spec)

    def _link_errors(
        self, node_id: str, name: str, value: list[Any], input_spec: InputSpec
    ) -> Iterator[dict[str, Any]]:
        extra = {"input_name": name, "input_config": list(input_spec)}
        if len(value) != 2 or not isinstance(value[0], str) or not isinstance(value[1], int):
            yield problem(
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                name,
                **extra,
                received_value=value,
            )
            return
        try:
            received = NODES[self._prompt[value[0]]["class_type"]].returns()[value[1]]
        except LookupError as error:
            yield _exception("exception_during_inner_validation", error, **extra, linked_node=value)
            return
        if received != input_spec[0]:
            yield problem(
                "return_type_mismatch",
                "Return type mismatch between linked nodes",
                f"{name}, received_type({received}) mismatch input_type({input_spec[0]})",
                **extra,
                received_type=received,
                linked_node=value,
            )
            return
        self._parents[node_id].append(value[0])


def _converted(value: Any, kind: str | list[str]) -> Any:
    convert = _PLAIN_TYPES.get(kind) if isinstance(kind, str) else None
    return value if convert is None else convert(value)


def _value_errors(name: str, value: Any, input_spec: InputSpec) -> Iterator[dict[str, Any]]:
    kind, options = input_spec
    extra = {"input_name": name, "input_config": list(input_spec), "received_value": value}
    if "min" in options and value < options["min"]:
        message = f"Value {value} smaller than min of {options['min']}"
        yield problem("value_smaller_than_min", message, name, **extra)
    elif "max" in options and value > options["max"]:
        message = f"Value {value} bigger than max of {options['max']}"
        yield problem("value_bigger_than_max", message, name, **extra)
    choices = kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None
    if choices is not None and value not in choices:
        short = len(choices) <= _LONG_LIST
        listed = str(choices) if short else f"(list of length {len(choices)})"
        extra["input_config"] = list(input_spec) if short else None
        yield problem("value_not_in_list", "Value not in list", f"{name}: '{value}' not in {listed}", **extra)


def _config(declared: dict[str, dict[str, InputSpec]], name: str) -> list[Any] | None:
    found = next((group[name] for group in declared.values() if name in group), None)
    return list(found) if found else None


def _exception(kind: str, error: Exception, **extra_info: Any) -> dict[str, Any]:
    return problem(
        kind,
        "Exception when validating " + ("node" if kind == "exception_during_validation" else "inner node"),
        str(error),
        **extra_info,
        exception_type=type(error).__name__,
        exception_message=str(error),
        traceback=traceback.format_tb(error.__traceback__),
    )
