"""Prompts and what becomes of them: /prompt, /queue, /history, /interrupt, /free."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from aiohttp import web

from anime_pipeline.preview.graph import filename_prefixes
from anime_pipeline.preview.prompt_queue import QueueItem
from anime_pipeline.preview.routes.base import Route, error_response, read_object
from anime_pipeline.preview.validation import Validation, problem, validate_prompt

if TYPE_CHECKING:
    from anime_pipeline.preview.server import PreviewServer


def prompt_routes(server: PreviewServer) -> list[Route]:
    """The routes of this subject."""
    prompts = _Prompts(server)
    return [
        Route("GET", "/prompt", prompts.get_prompt),
        Route("POST", "/prompt", prompts.post_prompt),
        Route("GET", "/queue", prompts.get_queue),
        Route("POST", "/queue", prompts.post_queue),
        Route("GET", "/history", prompts.get_history),
        Route("GET", "/history/{prompt_id}", prompts.get_one_history),
        Route("POST", "/history", prompts.post_history),
        Route("POST", "/interrupt", prompts.post_interrupt),
        Route("POST", "/free", prompts.post_free),
    ]


class _Prompts:
    def __init__(self, server: PreviewServer) -> None:
        self._server = server
        self._queue = server.queue

    async def get_prompt(self, request: web.Request) -> web.Response:
        return web.json_response(self._server.queue_info())

    async def post_prompt(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        prompt = body.get("prompt")
        if prompt is None:
            return error_response("no_prompt", "No prompt provided", "No prompt provided")
        if not isinstance(prompt, dict):
            return error_response("invalid_prompt", "The prompt is not an object of nodes")
        faults = self._server.misbehaviours.for_submission(filename_prefixes(prompt))
        if "error_500" in faults:
            raise web.HTTPInternalServerError(text="the preview server was told to fail this request")
        prompt_id = self._prompt_id(body)
        if prompt_id is None:
            return error_response(
                "invalid_prompt_id",
                "prompt_id must be a valid UUID",
                "give a UUID in lowercase with hyphens, or leave prompt_id out to get one from the server",
            )
        number, extra_data = body.get("number"), body.get("extra_data") or {}
        if not isinstance(extra_data, dict):
            return error_response("invalid_prompt", "extra_data is not an object")
        number = self._queue.next_number(bool(body.get("front"))) if number is None else _finite(number)
        if number is None:
            return error_response("invalid_prompt", "number is not a number")
        validation = validate_prompt(prompt, self._server.folders)
        if validation.error:
            return web.json_response(
                {"error": validation.error, "node_errors": validation.node_errors}, status=400
            )
        if "node_errors_in_200" in faults:
            validation = _without_outputs(prompt, validation)
        if "pending_deleted" not in faults:
            extra_data = {**extra_data, "create_time": int(time.time() * 1000)}
            if "client_id" in body:
                extra_data["client_id"] = body["client_id"]
            self._queue.put(QueueItem(number, prompt_id, prompt, extra_data, validation.outputs))
        answer = {"prompt_id": prompt_id, "number": number, "node_errors": validation.node_errors}
        if "answer_garbled" in faults:
            return web.Response(text=json.dumps(answer)[:20], content_type="application/json")
        return web.json_response(answer)

    async def get_queue(self, request: web.Request) -> web.Response:
        running, pending = self._queue.snapshot()
        return web.json_response(
            {
                "queue_running": [item.as_list() for item in running],
                "queue_pending": [item.as_list() for item in pending],
            }
        )

    async def post_queue(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        if body.get("clear"):
            self._queue.delete_pending(None)
        if "delete" in body:
            self._queue.delete_pending(_ids(body["delete"]))
        return web.Response()

    async def get_history(self, request: web.Request) -> web.Response:
        limit = _whole(request, "max_items")
        return web.json_response(self._queue.history(limit, _whole(request, "offset", -1) or 0))

    async def get_one_history(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        entry = self._queue.entry(prompt_id)
        return web.json_response({} if entry is None else {prompt_id: entry.as_dict()})

    async def post_history(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        if body.get("clear"):
            self._queue.delete_history(None)
        if "delete" in body:
            self._queue.delete_history(_ids(body["delete"]))
        return web.Response()

    async def post_interrupt(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        self._queue.interrupt(body.get("prompt_id") or None)
        return web.Response()

    async def post_free(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        if body.get("unload_models") or body.get("free_memory"):
            self._server.executor.free()
        return web.Response()

    def _prompt_id(self, body: dict[str, Any]) -> str | None:
        """The client's id or a new one; None where the client's is refused."""
        given = body.get("prompt_id")
        if given is None:
            return str(uuid4())
        if not self._server.strict_prompt_ids:
            return str(given)
        try:
            return given if isinstance(given, str) and str(UUID(given)) == given else None
        except ValueError:
            return None


def _finite(given: Any) -> float | None:
    try:
        return float(given) if math.isfinite(float(given)) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _ids(given: Any) -> list[str]:
    return [str(prompt_id) for prompt_id in given] if isinstance(given, list) else []


def _whole(request: web.Request, name: str, default: int | None = None) -> int | None:
    """A whole number of the query; 400 for anything else."""
    text = request.query.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name} must be a whole number") from None


def _without_outputs(prompt: dict[str, Any], validation: Validation) -> Validation:
    """An accepted prompt of which no output is left, each with an error."""
    error = problem("required_input_missing", "Required input is missing", "images", input_name="images")
    node_errors = {
        target: {
            "errors": [error],
            "dependent_outputs": [target],
            "class_type": prompt[target]["class_type"],
        }
        for target in validation.outputs
    }
    return Validation(node_errors=node_errors)
