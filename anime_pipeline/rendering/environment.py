"""What a take was rendered on: server, versions, devices, threads, node classes, model files.

An attempt records it when it is posted, so that a second rendering that differs can say what has changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import RenderAttempt, RenderEnvironment
from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.canonical import sha256_of
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.model_files import models_of
from anime_pipeline.rendering.server_process import threads_of
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.settings import Settings

Facts = dict[str, Any]

MISSING = "missing"
_HASHES = ("modelspec.hash_sha256", "sshs_model_hash")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EnvironmentChange:
    """A fact that differs; None where one side does not have it, or its server does not tell it."""

    field: str
    before: Any
    after: Any


def environment_of(client: ComfyClient, object_info: Mapping[str, Any], graph: Graph) -> Facts:
    """What a server would render this graph on. Raises :class:`ComfyError` where it does not answer."""
    stats = client.system_stats()
    system = stats.get("system", {})
    packages = {one.get("name"): one.get("installed") for one in system.get("comfy_package_versions") or []}
    return {
        "server": {
            "version": system.get("comfyui_version"),
            "kind": system.get("server_kind", "comfyui"),
            "build": system.get("server_version"),
            "arguments": list(system.get("argv") or [])[1:],
        },
        "python": system.get("python_version"),
        "torch": system.get("pytorch_version"),
        "os": system.get("os"),
        "devices": [device.get("name") for device in stats.get("devices", [])],
        "threads": None if system.get("server_kind") else threads_of(client.url),
        "packages": {name: version for name, version in packages.items() if version},
        "nodes": {
            kind: _shape_sha256(object_info[kind]) if kind in object_info else MISSING
            for kind in sorted({node["class_type"] for node in graph.values()})
        },
        "models": dict(_model_files(client, graph)),
    }


def note_environment(
    settings: Settings, attempt_id: int, client: ComfyClient, object_info: Mapping[str, Any], graph: Graph
) -> None:
    """Record what an attempt is rendered on. A server that will not tell costs the render nothing."""
    try:
        facts = environment_of(client, object_info, graph)
    except (ComfyError, AttributeError, KeyError, TypeError, ValueError) as error:
        _log.info("attempt %s goes without a record of its environment: %s", attempt_id, error)
        return
    with session_scope(settings) as session:
        name = keep_environment(session, facts)
        session.execute(
            update(RenderAttempt).where(RenderAttempt.id == attempt_id).values(environment_hash=name)
        )


def keep_environment(session: Session, facts: Facts) -> str:
    """Store an environment under its hash, and give that."""
    name = sha256_of(facts)
    session.execute(
        insert(RenderEnvironment).values(environment_hash=name, facts=facts).on_conflict_do_nothing()
    )
    return name


def environment_of_take(session: Session, job_id: int) -> Facts | None:
    """What a finished take was rendered on, None where that was not recorded."""
    facts = session.scalar(
        text("""
            SELECT e.facts FROM studio.render_attempts a
            JOIN studio.render_environments e USING (environment_hash)
            WHERE a.job_id = :job_id ORDER BY (a.outcome = 'succeeded') DESC NULLS LAST, a.id DESC LIMIT 1
        """),
        {"job_id": job_id},
    )
    return dict(facts) if facts is not None else None


def environment_changes(before: Facts | None, after: Facts | None) -> list[EnvironmentChange]:
    """What differs, by dotted field; one entry that says so where an environment was not recorded."""
    if before is None or after is None:
        known = {True: "recorded", False: None}
        return [EnvironmentChange("environment", known[before is not None], known[after is not None])]
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        EnvironmentChange(field, old.get(field), new.get(field))
        for field in sorted(old.keys() | new.keys())
        if old.get(field) != new.get(field)
    ]


def _flat(facts: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _shape_sha256(info: Mapping[str, Any]) -> str:
    """What a node class takes and gives, without the choices of its lists: those are the server's files."""
    groups = info.get("input") or {}
    inputs = {
        group: {name: _type_of(spec) for name, spec in (groups.get(group) or {}).items()}
        for group in ("required", "optional")
    }
    return sha256_of([inputs, info.get("output"), info.get("python_module")])


def _type_of(spec: Any) -> str:
    kind = spec[0] if isinstance(spec, (list, tuple)) and spec else spec
    return kind if isinstance(kind, str) else "COMBO"


def _model_files(client: ComfyClient, graph: Graph) -> Iterator[tuple[str, Any]]:
    """``folder/name`` → what is known of the file, or that the server has no such file."""
    for folder, names in models_of(graph).items():
        listed = client.told(f"/experiment/models/{folder}") or client.told(f"/models/{folder}")
        if not isinstance(listed, list):
            continue
        files = {one["name"]: one for one in listed if isinstance(one, dict) and "name" in one}
        for name in names:
            if name in files:
                told = {"bytes": files[name].get("size"), "modified": files[name].get("modified")}
                yield f"{folder}/{name}", {**told, "sha256": _own_hash(client, folder, name)}
            else:
                yield (
                    f"{folder}/{name}",
                    {"sha256": _own_hash(client, folder, name)} if name in listed else MISSING,
                )


def _own_hash(client: ComfyClient, folder: str, name: str) -> str | None:
    """The hash that a safetensors file tells of itself, where it does."""
    told = client.told(f"/view_metadata/{folder}", filename=name)
    found = (told.get(key) for key in _HASHES) if isinstance(told, dict) else ()
    return next((str(one).removeprefix("0x").lower() for one in found if one), None)
