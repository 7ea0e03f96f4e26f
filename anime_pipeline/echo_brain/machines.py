"""The machines that render for us, as they stand now: who answers, with which devices, able to do what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import RenderLease, RenderServer
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.probing import probe
from anime_pipeline.rendering.registry import candidates, enlist, record_facts
from anime_pipeline.rendering.requests import KINDS
from anime_pipeline.rendering.templates import TemplateError, TemplateLibrary
from anime_pipeline.settings import Settings

ANSWER_SECONDS = (1.0, 2.0)
_GIB = 2**30


@dataclass(frozen=True)
class Machine:
    """A render server. ``trouble`` says why it renders nothing; ``resting``: a person wants it so."""

    url: str
    devices: list[dict[str, Any]]
    node_classes: frozenset[str]
    concurrency: int
    trouble: str | None = None
    resting: bool = False


@dataclass(frozen=True)
class Machines:
    """The fleet. ``embedded``: there is no server but this home's own preview server, which draws."""

    all: tuple[Machine, ...]
    embedded: bool
    preview_concurrency: int = 1

    @property
    def usable(self) -> tuple[Machine, ...]:
        """Those that may be given takes now."""
        return tuple(one for one in self.all if one.trouble is None and not one.resting)

    @property
    def max_concurrent_jobs(self) -> int:
        """Takes that are rendered at once."""
        return self.preview_concurrency if self.embedded else sum(one.concurrency for one in self.usable)

    def gpu_info(self) -> dict[str, Any] | None:
        """Model, VRAM and driver of the largest GPU; null where nobody has said, None where there is none."""
        devices = [device for one in self.all for device in one.devices if is_gpu(device)]
        if not devices:
            return None
        largest = max(devices, key=_total)
        return {
            "model": _model(largest), "vram_gb": _gib(_total(largest)), "driver": largest.get("driver"),
        }  # fmt: skip

    def vram(self) -> dict[str, float | None] | None:
        """VRAM of all GPUs of usable servers in GiB, as they told it now; None where there is no GPU."""
        devices = [device for one in self.usable for device in one.devices if is_gpu(device)]
        if not devices:
            return None
        free = [device.get("vram_free") for device in devices]
        known = [value for value in free if isinstance(value, (int, float))]
        return {
            "total_gb": _gib(sum(map(_total, devices))),
            "free_gb": _gib(sum(known)) if len(known) == len(free) else None,
        }


def machines_now(session: Session, settings: Settings) -> Machines:
    """Every server of settings and database; those that are ours to use are asked now, all at once.

    A second or two, also where one is dead; once more for one that has never said which nodes it knows.
    Servers that only another machine's settings name are taken as the database has them, since they may be
    out of our reach. One that is silent while it renders is taken at its lease: it is busy, not gone.
    """
    _learn_nodes(session, settings)
    own, seen = set(settings.comfyui_server_urls), candidates(session)
    rows = session.scalars(select(RenderServer).order_by(RenderServer.url)).all()
    rows = [row for row in rows if row.url in own | seen]
    if not rows:
        return Machines((), True, settings.prompts_in_flight)
    leased = set(session.scalars(select(RenderLease.server_url)))
    asked = [
        row.url
        for row in rows
        if row.state in ("active", "draining") and (row.url in own or row.origin == "added")
    ]
    answers = dict(zip(asked, _asked(asked), strict=True))
    return Machines(
        tuple(_machine(row, answers.get(row.url), row.url in leased, settings) for row in rows), False
    )


def renderable(machines: Machines, settings: Settings) -> list[str]:
    """The kinds of render that can be done now: those with a workflow whose nodes some usable server knows.

    The embedded preview server draws all kinds; a character sheet is a still.
    """
    if machines.embedded:
        return list(KINDS)
    library = TemplateLibrary.of(settings)
    found: set[str] = set()
    for name in library:
        try:
            template = library.get(name)
        except TemplateError:
            continue
        needed = {node["class_type"] for node in template.graph.values()}
        if any(needed <= one.node_classes for one in machines.usable):
            found.update(template.sidecar.serves)
    return [job_type for job_type, kind in KINDS.items() if kind in found]


def is_gpu(device: dict[str, Any]) -> bool:
    """Whether a device of ``/system_stats`` is a GPU."""
    return device.get("type") not in (None, "cpu")


@dataclass(frozen=True)
class _Answer:
    devices: list[dict[str, Any]] = field(default_factory=list)
    problem: str | None = None


def _learn_nodes(session: Session, settings: Settings) -> None:
    """Ask the servers of the settings what they can do where that is not known, and note what they say."""
    known = select(RenderServer.url).where(
        RenderServer.url.in_(settings.comfyui_server_urls), RenderServer.node_classes != text("'{}'")
    )
    for url in sorted(set(settings.comfyui_server_urls) - set(session.scalars(known))):
        enlist(session, [url], "settings")
        try:
            record_facts(session, url, probe(ComfyClient(url)))
        except ComfyError:
            continue  # asked again below, where its silence is told


def _asked(urls: Sequence[str]) -> list[_Answer]:
    if not urls:
        return []
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(_ask, urls))


def _ask(url: str) -> _Answer:
    try:
        answer = requests.get(f"{url}/system_stats", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        devices = answer.json()["devices"]
        return _Answer([device for device in devices if isinstance(device, dict)])
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        return _Answer(problem=f"{url} does not answer ({type(error).__name__})")


def _machine(row: RenderServer, answer: _Answer | None, leased: bool, settings: Settings) -> Machine:
    trouble = None
    if row.state == "blocked":
        trouble = f"{row.url} is blocked after failures: {row.last_error}"
    elif answer is not None and answer.problem is not None and not leased:
        trouble = answer.problem
    told = answer.devices if answer is not None and answer.problem is None else row.devices
    return Machine(
        row.url, told, frozenset(row.node_classes), row.concurrency or settings.prompts_in_flight, trouble,
        resting=row.state in ("draining", "paused"),
    )  # fmt: skip


def _total(device: dict[str, Any]) -> int:
    value = device.get("vram_total")
    return int(value) if isinstance(value, (int, float)) else 0


def _gib(size: float) -> float | None:
    return round(size / _GIB, 1) if size else None


def _model(device: dict[str, Any]) -> str | None:
    """``cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync`` is a NVIDIA GeForce RTX 4090."""
    name = re.sub(r"^\w+:\d+ ", "", str(device.get("name") or "")).partition(" : ")[0].strip()
    return name or None
