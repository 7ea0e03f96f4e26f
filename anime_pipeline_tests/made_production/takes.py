"""Finished takes of every cut: recipes as the story asks for them, rows set by set, small real files."""

from __future__ import annotations

import csv
import hashlib
import json
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, cast

from PIL import Image
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.media.film_writer import FilmWriter
from anime_pipeline.media.store import location_of
from anime_pipeline.rendering.recipes import Recipe, compose_recipe
from anime_pipeline.rendering.templates import TemplateLibrary
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline_tests.quality.films import panning

WIDTH, HEIGHT, FPS, FRAMES = 96, 64, 24, 16

_ROWS = """
    INSERT INTO studio.media_files (sha256, kind, suffix, bytes, location, width, height, frame_count, fps)
    SELECT sha256, media_kind, suffix, bytes, location, 96, 64,
           CASE media_kind WHEN 'video' THEN 16 ELSE 1 END, CASE media_kind WHEN 'video' THEN 24 END
    FROM made_takes;
    INSERT INTO studio.media_files (sha256, kind, suffix, bytes, location, width, height, frame_count)
    SELECT last_sha256, 'image', '.png', last_bytes, last_location, 96, 64, 1
    FROM made_takes WHERE last_sha256 IS NOT NULL;
    INSERT INTO studio.recipes (recipe_hash, workflow, inputs, models, versions, template_name,
                                template_sha256)
    SELECT DISTINCT ON (recipe_hash) recipe_hash, workflow, inputs, models, versions, template_name,
           template_sha256
    FROM made_takes ON CONFLICT DO NOTHING;
    INSERT INTO public.jobs (id, project_id, job_type, status, prompt, negative_prompt, metadata, created_at,
                             started_at, completed_at, scene_id, cut_id, total_frames, current_frame)
    SELECT m.job_id, p.project_id, m.job_type, 'completed', m.prompt, 'blurry',
           jsonb_build_object('cut_key', m.cut_key, 'take_number', m.take_number),
           now() - interval '9 days', now() - interval '8 days', now() - interval '8 days', c.scene_id,
           m.cut_id, m.frames, m.frames
    FROM made_takes m JOIN studio.cut_profiles p USING (cut_id) JOIN public.cuts c ON c.id = m.cut_id;
    INSERT INTO studio.takes (job_id, cut_id, take_number, recipe_hash, ingredients, variant, server_kind,
                              pixels_sha256, selected, last_frame_sha256)
    SELECT job_id, cut_id, take_number, recipe_hash, ingredients, variant, 'comfyui', sha256,
           take_number = 1, last_sha256
    FROM made_takes;
    INSERT INTO studio.take_media (job_id, role, position, sha256)
    SELECT job_id, CASE media_kind WHEN 'video' THEN 'film' ELSE 'frame' END, 0, sha256 FROM made_takes;
    INSERT INTO public.generation_params (job_id, positive_prompt, negative_prompt, seed, model_name,
        sampler_name, scheduler, steps, cfg_scale, width, height, frame_count, fps, comfyui_workflow)
    SELECT job_id, prompt, 'blurry', seed, 'made.safetensors', 'euler', 'normal', 20, 7, 96, 64, frames, 24,
           workflow
    FROM made_takes;
    INSERT INTO public.render_queue (cut_id, status, attempts, job_id, created_at, completed_at)
    SELECT cut_id, 'completed', 1, job_id, now() - interval '9 days', now() - interval '8 days'
    FROM made_takes;
    INSERT INTO studio.render_attempts (job_id, queue_id, server_url, server_kind, prompt_id, token,
                                        started_at, finished_at, gpu_seconds, outcome)
    SELECT m.job_id, q.id, 'http://127.0.0.1:8188', 'comfyui', gen_random_uuid(),
           nextval('studio.lease_tokens'), now() - interval '8 days', now() - interval '8 days',
           2 + m.job_id % 17, 'succeeded'
    FROM made_takes m JOIN public.render_queue q USING (job_id);
    DROP TABLE made_takes;
"""
_TABLE = """
    CREATE TEMPORARY TABLE made_takes (
        job_id INTEGER NOT NULL DEFAULT nextval(pg_get_serial_sequence('public.jobs', 'id')),
        cut_id INTEGER, cut_key TEXT, take_number INTEGER, job_type TEXT, prompt TEXT, frames INTEGER,
        seed BIGINT, recipe_hash TEXT, workflow JSONB, inputs JSONB, models JSONB, versions JSONB,
        template_name TEXT, template_sha256 TEXT, ingredients JSONB, variant JSONB, media_kind TEXT,
        suffix TEXT, sha256 TEXT, bytes BIGINT, location TEXT, last_sha256 TEXT,
        last_bytes BIGINT, last_location TEXT)
"""
_COLUMNS = (
    "cut_id", "cut_key", "take_number", "job_type", "prompt", "frames", "seed", "recipe_hash", "workflow",
    "inputs", "models", "versions", "template_name", "template_sha256", "ingredients", "variant",
    "media_kind", "suffix", "sha256", "bytes", "location", "last_sha256", "last_bytes", "last_location",
)  # fmt: skip
_JOB_TYPES = {"still": "still_image", "loop": "animation_loop", "video": "full_video"}


def write_takes(session: Session, settings: Settings, keys: Iterable[str], files: bool) -> None:
    """Takes for all these cuts, of which the first one is selected, with everything that hangs on them."""
    shelf = _Shelf(Path(settings.media_root_url.removeprefix("file://")) if files else None)
    rows = _rows(load_cut_contexts(session, list(keys)), TemplateLibrary.of(settings), shelf)
    buffer = StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in _COLUMNS])
    buffer.seek(0)
    session.execute(text(_TABLE))
    connection = session.connection().connection.dbapi_connection
    with cast(Any, connection).cursor() as cursor:
        cursor.copy_expert(f"COPY made_takes ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT csv)", buffer)
        cursor.execute("ANALYZE made_takes")
        cursor.execute(_ROWS)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _rows(
    contexts: dict[str, CutContext], library: TemplateLibrary, shelf: _Shelf
) -> Iterator[dict[str, Any]]:
    suffixes: dict[str, str] = {}
    ordered = [contexts[key] for key in sorted(contexts)]
    before: str | None = None
    for context, after in zip(ordered, [*ordered[1:], None], strict=True):
        if context.continues and before is not None:
            context = replace(context, first_frame_sha256=before)
            suffixes[before] = ".png"
        before = None
        for number in range(1, context.takes_wanted + 1):
            recipe = compose_recipe(context, library, suffixes, Variant(number))
            row = _row(context, number, recipe) | shelf.media(context, number)
            if number == 1 and after is not None and after.continues:
                row |= shelf.last_frame(context)
                before = row["last_sha256"]
            yield row


def _row(context: CutContext, number: int, recipe: Recipe) -> dict[str, Any]:
    prompt = next((text for name, text in recipe.ingredients.items() if name.startswith("bible.")), "")
    return {
        "cut_id": context.cut_id, "cut_key": context.cut_key, "take_number": number,
        "job_type": _JOB_TYPES[context.kind], "prompt": str(prompt), "frames": context.rendered_frames,
        "seed": recipe.seed - (1 << 64) if recipe.seed >= 1 << 63 else recipe.seed,
        "recipe_hash": recipe.recipe_hash, "workflow": recipe.workflow, "inputs": recipe.inputs,
        "models": recipe.models, "versions": recipe.versions, "template_name": recipe.template_name,
        "template_sha256": recipe.template_sha256, "ingredients": recipe.ingredients,
        "variant": Variant(number).as_json(),
    }  # fmt: skip


class _Shelf:
    """Files of takes: one picture and one film, each copy with a note of its own and so its own hash."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        film = panning(FRAMES, HEIGHT, WIDTH)
        out = BytesIO()
        Image.fromarray(film[0]).save(out, format="PNG")
        self._picture = out.getvalue()
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "film.mp4"
            with FilmWriter(path, WIDTH, HEIGHT, FPS) as writer:
                for frame in film:
                    writer.write(frame)
            self._film = path.read_bytes()
        if folder is not None:
            for first in range(256):
                (folder / f"{first:02x}").mkdir(parents=True, exist_ok=True)

    def media(self, context: CutContext, number: int) -> dict[str, Any]:
        """The take's own file: columns of its row."""
        note = f"{context.cut_key} take {number}"
        if context.kind == "still":
            return {"media_kind": "image", "suffix": ".png", **self._kept(self._noted_picture(note), ".png")}
        return {"media_kind": "video", "suffix": ".mp4", **self._kept(self._noted_film(note), ".mp4")}

    def last_frame(self, context: CutContext) -> dict[str, Any]:
        """The picture that the cut after it begins with."""
        kept = self._kept(self._noted_picture(f"{context.cut_key} last frame"), ".png")
        return {f"last_{name}": value for name, value in kept.items()}

    def _kept(self, data: bytes, suffix: str) -> dict[str, Any]:
        sha256 = hashlib.sha256(data).hexdigest()
        location = location_of(sha256, suffix)
        if self._folder is not None:
            (self._folder / location).write_bytes(data)
        return {"sha256": sha256, "bytes": len(data), "location": location}

    def _noted_picture(self, note: str) -> bytes:
        chunk = b"tEXtComment\0" + note.encode()
        whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return self._picture[:33] + whole + self._picture[33:]  # after the signature and IHDR

    def _noted_film(self, note: str) -> bytes:
        return self._film + struct.pack(">I4s", 8 + len(note.encode()), b"free") + note.encode()
