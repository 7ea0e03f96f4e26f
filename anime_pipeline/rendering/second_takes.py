"""Queues takes that render the stored recipe of others again, and has the servers forget the first time."""

from __future__ import annotations

import time
from collections.abc import Collection

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import RenderServer as StoredServer
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.extraction.links import Links
from anime_pipeline.rendering.extraction.samplers import is_sampler
from anime_pipeline.rendering.planning import wait_for_other_planners
from anime_pipeline.rendering.recipes import output_nodes
from anime_pipeline.rendering.servers import render_servers
from anime_pipeline.rendering.takes import LIST_TAKES, TakeError
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.settings import Settings

_SETTLING_SECONDS = 1.0

_ORIGINALS = text("""
    SELECT t.job_id, t.cut_id, j.project_id, j.status, t.reproduces_job_id
    FROM studio.takes t JOIN jobs j ON j.id = t.job_id WHERE t.job_id = ANY(:job_ids)
""")
_JOB = text("""
    INSERT INTO jobs (project_id, job_type, status, prompt, negative_prompt, metadata, scene_id, cut_id,
                      total_frames, current_frame)
    SELECT project_id, job_type, 'queued', prompt, negative_prompt,
           COALESCE(metadata, '{}') || jsonb_build_object('reproduces', id), scene_id, cut_id, total_frames, 0
    FROM jobs WHERE id = :job_id RETURNING id
""")
_TAKE = text("""
    INSERT INTO studio.takes (job_id, cut_id, take_number, recipe_hash, ingredients, variant,
                              reproduces_job_id)
    SELECT :new_id, t.cut_id, (SELECT max(take_number) + 1 FROM studio.takes WHERE cut_id = t.cut_id),
           t.recipe_hash, t.ingredients, t.variant, t.job_id
    FROM studio.takes t WHERE t.job_id = :job_id
""")
_QUEUE = text("""
    INSERT INTO render_queue (cut_id, job_id, status, render_params)
    SELECT t.cut_id, :new_id, 'queued',
           jsonb_build_object('recipe_hash', t.recipe_hash, 'template', r.template_name)
    FROM studio.takes t JOIN studio.recipes r USING (recipe_hash) WHERE t.job_id = :job_id
""")


def queue_second_takes(session: Session, job_ids: Collection[int]) -> dict[int, int]:
    """Queue a second rendering of each finished take: the new job id → the job that it renders again.

    Raises :class:`~anime_pipeline.rendering.takes.TakeError` for a job that is no finished take of its own.
    """
    wanted = list(dict.fromkeys(job_ids))
    found = {row.job_id: row for row in session.execute(_ORIGINALS, {"job_ids": wanted})}
    for job_id in wanted:
        row = found.get(job_id)
        if row is None:
            raise TakeError(f"job {job_id} is no take", LIST_TAKES)
        if row.reproduces_job_id is not None:
            raise TakeError(
                f"take {job_id} renders take {row.reproduces_job_id} again",
                f"reproduce {row.reproduces_job_id}",
            )
        if row.status != "completed":
            raise TakeError(f"take {job_id} is not finished ({row.status})", "render it first")
    wait_for_other_planners(session, {row.project_id for row in found.values()})
    return {_queued(session, job_id): job_id for job_id in wanted}


def forget_cached_results(session: Session, settings: Settings) -> None:
    """Have every server drop its cached results, or it would answer with the pictures of the first time."""
    added = session.scalars(select(StoredServer.url).where(StoredServer.origin == "added")).all()
    urls = {*settings.comfyui_server_urls, *added} or {server.url for server in render_servers(settings)}
    for url in sorted(urls):
        try:
            ComfyClient(url).free()
        except ComfyError:
            continue  # it renders nothing now, and when it comes back it has forgotten everything
    # ComfyUI clears its cache from the thread that executes prompts, a moment after it has answered.
    time.sleep(_SETTLING_SECONDS)


def came_from_cache(session: Session, job_id: int) -> bool:
    """Whether a server answered a finished take without sampling (or drawing) its pictures again."""
    row = session.execute(
        text("""
            SELECT a.server_url, a.prompt_id, r.workflow FROM studio.render_attempts a
            JOIN studio.takes t USING (job_id) JOIN studio.recipes r USING (recipe_hash)
            WHERE a.job_id = :job_id AND a.outcome = 'succeeded' ORDER BY a.id DESC LIMIT 1
        """),
        {"job_id": job_id},
    ).one_or_none()
    if row is None:
        return False
    try:
        entry = ComfyClient(row.server_url).history(str(row.prompt_id)) or {}
    except ComfyError:
        return False
    messages = entry.get("status", {}).get("messages", [])
    cached = {node for kind, data in messages if kind == "execution_cached" for node in data.get("nodes", [])}
    return bool(cached & _making_pictures(row.workflow))


def _making_pictures(graph: Graph) -> set[str]:
    """The samplers of a graph; of one without any, the nodes that its saving nodes take from.

    Loaders and prompts that two takes share may come from cache: that is no second-hand picture.
    """
    samplers = {node_id for node_id, node in graph.items() if is_sampler(node)}
    links = Links(graph)
    return samplers or {link[0] for node_id in output_nodes(graph) for _, link in links.links(graph[node_id])}


def _queued(session: Session, job_id: int) -> int:
    new_id = session.execute(_JOB, {"job_id": job_id}).scalar_one()
    both = {"job_id": job_id, "new_id": new_id}
    session.execute(_TAKE, both)
    session.execute(_QUEUE, both)
    return int(new_id)
