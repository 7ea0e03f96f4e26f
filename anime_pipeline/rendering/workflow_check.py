"""Looks a workflow over before anybody renders with it: sidecar, links, and what a server lacks for it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from anime_pipeline.rendering.filling import PREFIX_PLACEHOLDER
from anime_pipeline.rendering.model_files import folder_of
from anime_pipeline.rendering.preflight import choices, executed, is_given, where_to_put
from anime_pipeline.rendering.recipes import output_nodes
from anime_pipeline.rendering.templates import (
    SHIPPED,
    Graph,
    Template,
    TemplateError,
    own_folder,
    read_template,
    title_of,
)
from anime_pipeline.settings import Settings

Severity = Literal["mistake", "remark"]
_OPEN_ENDED = ("Power Lora Loader (rgthree)", "Any Switch (rgthree)")


@dataclass(frozen=True)
class Finding:
    """One thing about a workflow; a remark keeps nobody from using it."""

    severity: Severity
    message: str
    remedy: str


def check_workflow(template: Template, object_info: Mapping[str, Any] | None = None) -> list[Finding]:
    """What is wrong with a template that could be read, and with it on a server (its ``/object_info``)."""
    findings = [*_unplaced(template), *_unlinked(template.graph), *_unsaved(template, object_info or {})]
    if object_info is None:
        findings += _unknown_inputs(template)
    else:
        runs, optional = executed(template.graph, object_info), _optional_nodes(template)
        for node_id, node in template.graph.items():
            if node_id not in runs and node["class_type"] in object_info:
                continue
            found = _on_server(node, object_info, _filled_inputs(template, node))
            findings += _only_for(slot, found) if (slot := optional.get(node_id)) else found
    return list(dict.fromkeys(findings))


def add_workflow(settings: Settings, path: Path, replace: bool = False) -> Template:
    """Copy a checked graph and its sidecar into the studio's own folder.

    Raises :class:`TemplateError` for a workflow with mistakes, and for a name that is taken already.
    """
    template = read_template(path)
    mistakes = [one for one in check_workflow(template) if one.severity == "mistake"]
    if mistakes:
        raise TemplateError(
            f"workflow {template.name}: " + "; ".join(one.message for one in mistakes), mistakes[0].remedy
        )
    folder = own_folder(settings)
    target = folder / f"{template.name}.json"
    if target.exists() and not replace and target.resolve() != path.resolve():
        raise TemplateError(
            f"the studio has a workflow {template.name} already", "add --replace, or rename it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for source in (path, path.with_suffix(".yaml")):
        place = folder / f"{template.name}{source.suffix}"
        if place.resolve() != source.resolve():
            shutil.copyfile(source, place)
    return read_template(target)


def origin_of(settings: Settings, name: str) -> str:
    """Whether a workflow is the studio's own, shipped, or its own in place of a shipped one."""
    own, shipped = ((folder / f"{name}.yaml").exists() for folder in (own_folder(settings), SHIPPED))
    return ("own, in place of a shipped one" if shipped else "own") if own else "shipped"


def _unplaced(template: Template) -> Iterator[Finding]:
    """What every cut has and the workflow has no place for."""
    moving = [kind for kind in template.sidecar.serves if kind != "still"]
    needed = {
        "width": template.sidecar.serves,
        "height": template.sidecar.serves,
        "frames": moving,
        "fps": moving,
    }
    for slot, kinds in needed.items():
        if kinds and slot not in template.sidecar.slots:
            yield Finding(
                "mistake",
                f"there is no slot {slot}, so that no {' or '.join(kinds)} cut can be rendered",
                f"add a slot {slot} to the sidecar that names node and input",
            )
    if "seed" not in template.sidecar.slots:
        yield Finding(
            "remark",
            "there is no slot seed, so that each take of a cut shows the same",
            "add a slot seed to the sidecar, unless nothing in the graph is random",
        )


def _unknown_inputs(template: Template) -> Iterator[Finding]:
    """Inputs that slots fill and the graph does not have, where no server says whether there are such."""
    for slot, targets in template.sidecar.slots.items():
        for target in targets:
            inputs = template.graph[template.node_id(target.node)]["inputs"]
            if target.input not in inputs:
                yield Finding(
                    "remark",
                    f"node “{target.node}” has no input {target.input} in the graph (slot {slot})",
                    f"it has {', '.join(sorted(inputs)) or 'none'}; check with --server",
                )


def _unlinked(graph: Graph) -> Iterator[Finding]:
    for node in graph.values():
        for name, value in node["inputs"].items():
            is_link = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
            if is_link and value[0] not in graph:
                yield Finding(
                    "mistake",
                    f"input {name} of node “{title_of(node)}” is linked to node {value[0]}, which is gone",
                    "export the workflow again with Workflow → Export (API)",
                )


def _unsaved(template: Template, object_info: Mapping[str, Any]) -> Iterator[Finding]:
    """What would render for nothing: no node that gets the output prefix keeps its result."""
    graph = {key: {**node, "inputs": dict(node["inputs"])} for key, node in template.graph.items()}
    for target in template.sidecar.slots["output_prefix"]:
        graph[template.node_id(target.node)]["inputs"][target.input] = PREFIX_PLACEHOLDER
    taken = output_nodes(graph)
    saving = [graph[key] for key in taken]
    known = [object_info.get(node["class_type"]) or {} for node in saving]
    if not any(one.get("output_node", True) for one in known):
        yield Finding(
            "mistake",
            "no node that saves gets the output_prefix, so that no result would be found",
            "let the slot output_prefix name the filename_prefix of the node that saves",
        )
    for node in saving:
        if node["inputs"].get("save_output") is False:
            yield Finding(
                "mistake",
                f"node “{title_of(node)}” writes previews only, which the server removes when it starts",
                "switch its save_output on",
            )
    yield from _ignored(graph, taken)


def _ignored(graph: Graph, taken: Collection[str]) -> Iterator[Finding]:
    """Nodes that save as well, and whose files nobody fetches."""
    fetched = " and ".join(f"“{title_of(graph[key])}” (node {key})" for key in taken)
    for key, node in graph.items():
        saves = node["class_type"].startswith("Save") or "filename_prefix" in node["inputs"]
        if fetched and saves and key not in taken and node["inputs"].get("save_output") is not False:
            yield Finding(
                "remark",
                f"node “{title_of(node)}” (node {key}) saves too and gets no output_prefix: a take is what "
                f"{fetched} saves, and these files stay on the server, ignored",
                "take the node out, or name its filename_prefix under the slot output_prefix instead",
            )


def _optional_nodes(template: Template) -> dict[str, str]:
    """The ids of nodes that leave where a cut has no value for a slot, and the slot."""
    return {
        template.node_id(title): slot
        for slot, targets in template.sidecar.slots.items()
        for target in targets
        if target.absent == "remove"
        for title in (target.node, *target.also_remove, *target.bypassed)
    }


def _only_for(slot: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """What a server lacks for cuts that have a value for a slot; the others can be rendered there."""
    for one in findings:
        yield replace(one, severity="remark", message=f"{one.message}; only cuts with {slot} need it")


def _filled_inputs(template: Template, node: Mapping[str, Any]) -> set[str]:
    """The inputs of a node that slots fill."""
    targets = [target for slot in template.sidecar.slots.values() for target in slot]
    return {one.input for one in targets if template.graph[template.node_id(one.node)] is node}


def _on_server(node: dict[str, Any], object_info: Mapping[str, Any], filled: set[str]) -> Iterator[Finding]:
    kind, title = node["class_type"], title_of(node)
    known = object_info.get(kind)
    if known is None:
        yield Finding(
            "mistake",
            f"the server has no node {kind} (“{title}”)",
            "install the custom node that brings it, or use another server",
        )
        return
    groups = known.get("input") or {}
    required, optional = groups.get("required") or {}, groups.get("optional") or {}
    declared = {**required, **optional}
    for name in required:
        if not is_given(node, name) and name not in filled:
            yield Finding(
                "mistake", f"node “{title}” lacks its input {name}", "export the workflow from this server"
            )
    for name in sorted({*node["inputs"], *filled}):
        if name.partition(".")[0] not in declared and kind not in _OPEN_ENDED:
            severity: Severity = "mistake" if name in filled else "remark"
            yield Finding(
                severity,
                f"node “{title}” ({kind}) has no input {name} on the server",
                f"its inputs are {', '.join(sorted(declared)) or 'none'}",
            )
    yield from _choices(node, declared, filled)


def _choices(node: dict[str, Any], declared: Mapping[str, Any], filled: set[str]) -> Iterator[Finding]:
    for name, value in node["inputs"].items():
        offered = choices(declared.get(name))
        if offered is None or not isinstance(value, str) or value in offered:
            continue
        if (folder := folder_of(node["class_type"], name)) is not None:
            # A slot with a model fills it with the production's own; then the graph's is not needed.
            yield Finding(
                "remark" if name in filled else "mistake",
                f"the server has no {value} (node “{title_of(node)}”, input {name})",
                where_to_put(value, folder, offered),
            )
        elif name not in filled:
            yield Finding(
                "mistake",
                f"node “{title_of(node)}” does not know {value!r} for {name} on the server",
                f"choose one of {', '.join(str(one) for one in offered[:12])}",
            )
