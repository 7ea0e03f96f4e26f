"""Workflow templates: a ComfyUI graph in API format with a sidecar that says which input takes which value.

``<name>.json`` is what ComfyUI's "Export (API)" writes. ``<name>.yaml`` beside it names inputs by node title:

    description: one line
    serves: [still]
    output: image
    slots:
      seed: {node: KSampler, input: seed}
      width:
        - {node: Empty Latent, input: width}
      background: {node: Background picture, input: image, absent: remove}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from anime_pipeline.errors import UserError
from anime_pipeline.rendering.canonical import canonical_json, sha256_of
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutKind
from anime_pipeline.story.wording import field_text, words_for
from anime_pipeline.story.yaml_reading import Document, Problem, UnreadableYamlError, read_yaml

Graph = dict[str, dict[str, Any]]
"""Node id → ``{"class_type": …, "inputs": {…}, "_meta": {"title": …}}``."""

SHIPPED = Path(__file__).parent / "workflows"
SLOTS = (
    "positive", "negative", "seed", "width", "height", "frames", "fps", "kind", "reference_image",
    "background", "location", "time_of_day", "mood", "palette", "figures", "camera_angle", "action", "lines",
    "slate", "model", "loras", "pose_image", "first_frame", "last_frame", "anchor_weight", "output_prefix",
)  # fmt: skip

LISTS = ("loras",)
"""Slots whose value is a list."""

NUMBERS = ("seed", "width", "height", "frames", "fps")
"""Slots whose value is a whole number."""

SCALED = ("anchor_weight",)
"""Slots whose value is a factor on the number that the graph has there."""


class TemplateError(UserError):
    """A template cannot be used, or not for this cut; the message names node and input."""


class Target(BaseModel):
    """One input that takes a slot's value.

    ``absent`` says what happens when the cut has no such value: an error, the node is removed together with
    the links to it (and the nodes of ``also_remove``), or the graph keeps its own value. ``multiple`` and
    ``plus`` round a number up to the next n·multiple + plus, as video models ask of their frame count.

    ``bypassed`` names nodes (by title) that leave with an absent value, with the inputs that then stand for
    their outputs, in order. ``chained`` has those inputs of a node that a list repeats: its first value goes
    into the node, each further one into a copy behind it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    node: str
    input: str
    absent: Literal["error", "remove", "keep"] = "error"
    also_remove: tuple[str, ...] = ()
    bypassed: dict[str, tuple[str, ...]] = Field({})
    chained: tuple[str, ...] = ()
    multiple: int = Field(1, ge=1)
    plus: int = Field(0, ge=0)


class Setting(BaseModel):
    """An input and the value that it gets in a smoother take."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    node: str
    input: str
    value: bool | int | float | str


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class Sidecar(BaseModel):
    """What a template is for and where its values go.

    ``smoother`` lists the values with which it renders more steadily, at a price: what a take gets that
    flickered or jumped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: str
    serves: Annotated[tuple[CutKind, ...], BeforeValidator(_as_list), Field(min_length=1)]
    output: Literal["image", "video"]
    burns_subtitles: bool = False
    slots: dict[str, Annotated[tuple[Target, ...], BeforeValidator(_as_list)]]
    smoother: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class Template:
    """A checked template: every target exists in the graph exactly once."""

    name: str
    graph: Graph
    sidecar: Sidecar

    @cached_property
    def sha256(self) -> str:
        """Hash of graph and sidecar."""
        unsaid = set() if self.sidecar.smoother else {"smoother"}  # or older templates had another hash
        return sha256_of(
            {"graph": self.graph, "sidecar": self.sidecar.model_dump(mode="json", exclude=unsaid)}
        )

    @cached_property
    def _ids(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = {}
        for node_id, node in self.graph.items():
            ids.setdefault(title_of(node), []).append(node_id)
        return ids

    def node_id(self, title: str) -> str:
        """Id of the node with this title; :class:`TemplateError` unless there is exactly one."""
        found = self._ids.get(title, [])
        if len(found) == 1:
            return found[0]
        raise TemplateError(
            f"{len(found) or 'no'} nodes have the title “{title}”",
            "name each node of the sidecar once in the graph; its titles are: "
            + ", ".join(sorted(self._ids)),
        )


def own_folder(settings: Settings) -> Path:
    """Where a studio keeps its own workflows; it need not exist yet."""
    return settings.workflows or settings.home / "workflows"


class TemplateLibrary:
    """The templates of an installation by name; the studio's own win over those shipped."""

    def __init__(self, own: Path | None = None) -> None:
        self._folders = [folder for folder in (own, SHIPPED) if folder is not None]
        self._loaded: dict[str, Template | TemplateError] = {}

    @classmethod
    def of(cls, settings: Settings) -> TemplateLibrary:
        """The studio's own templates (:func:`own_folder`) and the shipped ones."""
        return cls(own_folder(settings))

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted({path.stem for folder in self._folders for path in folder.glob("*.yaml")})

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def get(self, name: str) -> Template:
        """The template of this name, or :class:`TemplateError` with what is wrong with it."""
        if name not in self._loaded:
            try:
                self._loaded[name] = self._load(name)
            except TemplateError as error:
                self._loaded[name] = error
        found = self._loaded[name]
        if isinstance(found, TemplateError):
            raise found
        return found

    def _load(self, name: str) -> Template:
        for folder in self._folders:
            if (folder / f"{name}.yaml").is_file() or (folder / f"{name}.json").is_file():
                return read_template(folder / f"{name}.json")
        raise TemplateError(
            f"there is no workflow named {name}",
            f"use one of {', '.join(self.names())}, or put {name}.json and {name}.yaml into ANIME_WORKFLOWS",
        )


def read_template(path: Path) -> Template:
    """Read and check ``<name>.json`` with its ``<name>.yaml``; raises :class:`TemplateError`."""
    template = Template(path.stem, read_graph(path), _read_sidecar(path.with_suffix(".yaml")))
    mistakes, remedies = list(_mistakes(template)), {f"mend {path.with_suffix('.yaml')}"}
    if mistakes:
        said = "; ".join(str(one) for one in mistakes)
        remedies |= {one.remedy for one in mistakes if isinstance(one, TemplateError) and one.remedy}
        raise TemplateError(f"workflow {template.name}: {said}", "; ".join(sorted(remedies, reverse=True)))
    return template


def read_graph(path: Path) -> Graph:
    """A graph in API format; a file in ComfyUI's UI format is recognised and refused."""
    try:
        graph = json.loads(_text_of(path, "put the exported graph beside its .yaml"))
        if b"\\u0000" in canonical_json(graph):
            raise ValueError("it holds a NUL")
    except (ValueError, RecursionError) as error:
        raise TemplateError(
            f"{path} is not JSON that can be stored: {error}", "export it again with Workflow → Export (API)"
        ) from None
    if isinstance(graph, dict) and isinstance(graph.get("nodes"), list):
        raise TemplateError(
            f"{path} is in ComfyUI's UI format, which holds no executable graph",
            "open it in ComfyUI and choose Workflow → Export (API) (in older versions: enable the dev mode "
            "options, then Save (API Format))",
        )
    if not isinstance(graph, dict) or not graph or not all(_is_node(node) for node in graph.values()):
        raise TemplateError(
            f"{path} is not a ComfyUI graph in API format: an object of nodes with class_type and inputs",
            "export it with Workflow → Export (API)",
        )
    return graph


def title_of(node: dict[str, Any]) -> str:
    """The title that a person sees on a node; its class where it has none."""
    return str(node.get("_meta", {}).get("title") or node["class_type"])


def _is_node(node: object) -> bool:
    return (
        isinstance(node, dict)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), dict)
        and isinstance(node.get("_meta", {}), dict)
    )


def _text_of(path: Path, missing: str) -> str:
    """The text of a file; ``missing`` says what to do where there is none."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TemplateError(f"{path} is missing", missing) from None
    except OSError as error:
        raise TemplateError(f"{path} cannot be read: {error.strerror}", "check what it is") from None
    except UnicodeDecodeError:
        raise TemplateError(f"{path} is not UTF-8 text", "save it as UTF-8") from None


def _read_sidecar(path: Path) -> Sidecar:
    text = _text_of(path, "write a sidecar that says which input takes which value: docs/WORKFLOWS.md")
    try:
        document = read_yaml(text)
        problems = document.problems
        if not problems:
            return Sidecar.model_validate(document.data)
    except UnreadableYamlError as error:
        problems = [error.problem]
    except ValidationError as error:
        problems = list(_problems(document, error))
    said = "; ".join(
        f"line {one.line}, {field_text(one.location) or 'file'}: {one.message}" for one in problems
    )
    remedies = dict.fromkeys(one.suggestion for one in problems if one.suggestion)
    raise TemplateError(f"{path}: {said}", "; ".join(remedies) or f"mend {path}")


def _problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    """What is wrong with a sidecar, in a person's words and with its lines."""
    found = error.errors(include_url=False)
    for one in found:
        location = tuple(one["loc"])
        if any(other is not one and other["loc"][: len(location)] == location for other in found):
            continue  # a list without its wrong items is called too short as well
        message, suggestion = words_for(one)
        if one["type"] == "extra_forbidden":
            groups: dict[object, type[BaseModel]] = {"slots": Target, "smoother": Setting}
            group = groups.get(location[0], Sidecar) if len(location) > 1 else Sidecar
            suggestion = f"known keys are: {', '.join(group.model_fields)}"
        yield Problem(document.line_of(location), location, message, suggestion)


def _mistakes(template: Template) -> Iterator[str | TemplateError]:
    filled: dict[tuple[str, str], str] = {}
    for slot, targets in template.sidecar.slots.items():
        if slot not in SLOTS:
            yield f"{slot} is no slot; the slots are {', '.join(SLOTS)}"
        for target in targets:
            place = (target.node, target.input)
            if place in filled and target.absent != "keep":
                yield (
                    f"input {target.input} of node “{target.node}” has place for one value, and the slots "
                    f"{filled[place]} and {slot} fill it"
                )
            filled[place] = slot
            try:
                yield from _mistakes_of(template, slot, target)
            except TemplateError as error:
                yield TemplateError(f"{error} (slot {slot})", error.remedy)
    for setting in template.sidecar.smoother:
        try:
            own = template.graph[template.node_id(setting.node)]["inputs"].get(setting.input, [])
        except TemplateError as error:
            yield TemplateError(f"{error} (smoother)", error.remedy)
            continue
        if isinstance(own, list):
            yield f"node “{setting.node}” has no value for {setting.input} that smoother could replace"
    if "output_prefix" not in template.sidecar.slots:
        yield "no slot output_prefix: name the filename_prefix of the node that saves the result"


def _mistakes_of(template: Template, slot: str, target: Target) -> Iterator[str]:
    """What is wrong with one target; raises :class:`TemplateError` where a title is not that of one node."""
    node = template.graph[template.node_id(target.node)]
    for title in target.also_remove:
        template.node_id(title)
    own = node["inputs"].get(target.input)
    if isinstance(own, list):
        yield f"input {target.input} of node “{target.node}” is a link, so slot {slot} cannot fill it"
    for title, names in (*target.bypassed.items(), (target.node, target.chained)):
        through = template.graph[template.node_id(title)]
        for name in names:
            if not isinstance(through["inputs"].get(name), list):
                yield f"input {name} of node “{title}” is no link, so nothing passes it (slot {slot})"
    if target.chained and slot not in LISTS:
        yield f"slot {slot} has one value, so no node of it is chained"
    if slot in LISTS and not target.chained:
        yield f"slot {slot} has a list: say which inputs are chained from node to node"
    if slot in SCALED and not _is_number(own):
        yield f"input {target.input} of node “{target.node}” is no number that {slot} could scale"
    if (target.multiple, target.plus) != (1, 0) and slot not in NUMBERS:
        yield f"slot {slot} is no whole number that multiple or plus could round"
    if target.absent == "keep" and target.input not in node["inputs"]:
        yield f"node “{target.node}” has no value for {target.input} that slot {slot} could keep"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
