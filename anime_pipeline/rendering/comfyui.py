"""A typed client of one ComfyUI server. Every request has a time-out and every failure a class."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import requests

from anime_pipeline.rendering.comfyui_errors import (
    ComfyConnectionError,
    ComfyError,
    RejectedPromptError,
    rejection,
)
from anime_pipeline.rendering.templates import Graph

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# A film of many megabytes, or an upload, over a slow line: time-out between two reads, not of the whole.
TRANSFER_SECONDS = 120.0
_BLOCK = 1 << 18


class ComfyClient:
    """HTTP to one server; may be used from several threads (each has its own connection)."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._local = threading.local()
        self._uploaded: dict[str, str] = {}

    def submit(
        self, graph: Graph, client_id: str, prompt_id: str, extra_pnginfo: Mapping[str, Any] | None = None
    ) -> None:
        """Post a prompt under an id that the caller chose.

        Raises :class:`RejectedPromptError` for what the server will not run, also where it answered 200 and
        dropped some outputs (that prompt is then taken back).
        """
        body: dict[str, Any] = {"prompt": graph, "client_id": client_id, "prompt_id": prompt_id}
        if extra_pnginfo:
            body["extra_data"] = {"extra_pnginfo": dict(extra_pnginfo)}
        with self._request("POST", "/prompt", json=body) as response:
            answer = _json(response, allowed=(200, 400))
            status = response.status_code
        if status == 400 or answer.get("node_errors"):
            if status == 200:
                self.cancel(str(answer.get("prompt_id", prompt_id)))
            raise rejection(graph, answer)
        given = str(answer.get("prompt_id"))
        if given != prompt_id:
            self.cancel(given)
            raise RejectedPromptError(
                f"{self.url} ran the prompt under {given}, not under the id that it was given",
                "use ComfyUI 0.3.64 or newer",
            )

    def queue(self) -> tuple[list[str], list[str]]:
        """Ids of running and of pending prompts, each in the order in which they run."""
        answer = self._get("/queue")
        return _ids(answer.get("queue_running", [])), _ids(answer.get("queue_pending", []))

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The history entry of a prompt, or None while there is none."""
        entry = self._get(f"/history/{prompt_id}").get(prompt_id)
        return cast("dict[str, Any] | None", entry)

    def view(self, file: Mapping[str, str], target: Path) -> int:
        """Stream an output's original bytes to ``target``; the number of bytes."""
        asked = {key: file.get(key, "") for key in ("filename", "subfolder", "type")}
        size = 0
        with self._request("GET", "/view", params=asked, stream=True, timeout=TRANSFER_SECONDS) as response:
            if response.status_code == 404:
                raise ComfyError("contract", f"{self.url} no longer has the output {asked['filename']}")
            _require_ok(response)
            with target.open("wb") as out:
                for block in response.iter_content(_BLOCK):
                    out.write(block)
                    size += len(block)
            announced = response.headers.get("Content-Length")
            if (
                announced is not None
                and not response.headers.get("Content-Encoding")
                and int(announced) != size
            ):
                raise ComfyError(
                    "contract", f"{asked['filename']} came cut short: {size} of {announced} bytes"
                )
        return size

    def upload(self, path: Path, name: str) -> str:
        """Upload an input picture under the name of its content; the name that the server gave it.

        What was sent once by this client is not sent again.
        """
        if name not in self._uploaded:
            with path.open("rb") as file:
                fields = {"type": "input", "overwrite": "true"}
                files = {"image": (name, file)}
                with self._request(
                    "POST", "/upload/image", data=fields, files=files, timeout=TRANSFER_SECONDS
                ) as response:
                    if response.status_code == 413:
                        raise RejectedPromptError(
                            f"{self.url} does not take the picture {name}: it is too large",
                            "make it smaller, or start ComfyUI with a larger --max-upload-size",
                        )
                    answer = _json(response)
            folder = str(answer.get("subfolder") or "")
            self._uploaded[name] = f"{folder}/{answer['name']}" if folder else str(answer["name"])
        return self._uploaded[name]

    def forget_uploads(self) -> None:
        """Send inputs again: the server may have been replaced."""
        self._uploaded.clear()

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt from the queue, or interrupt it; nobody else's prompt is touched."""
        running, pending = self.queue()
        if prompt_id in pending:
            self._post("/queue", {"delete": [prompt_id]})
            running, _ = self.queue()  # it may have started in between
        if prompt_id in running:
            self._post("/interrupt", {"prompt_id": prompt_id})

    def free(self) -> None:
        """Unload models and forget cached results."""
        self._post("/free", {"unload_models": True, "free_memory": True})

    def object_info(self) -> dict[str, Any]:
        """Node classes with their inputs."""
        return self._get("/object_info")

    def system_stats(self) -> dict[str, Any]:
        """Versions and devices."""
        return self._get("/system_stats")

    def _get(self, path: str) -> dict[str, Any]:
        with self._request("GET", path) as response:
            return _json(response)

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        with self._request("POST", path, json=body) as response:
            _require_ok(response)

    @contextmanager
    def _request(
        self, method: str, path: str, timeout: float = READ_SECONDS, **options: Any
    ) -> Iterator[requests.Response]:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False  # a proxy of the office has no business between the two
        try:
            with self._local.session.request(
                method, self.url + path, timeout=(CONNECT_SECONDS, timeout), **options
            ) as response:
                yield response
        except requests.RequestException as error:
            raise ComfyConnectionError(self.url, error) from error


def _ids(entries: list[list[Any]]) -> list[str]:
    return [str(entry[1]) for entry in sorted(entries, key=lambda entry: entry[0])]


def _json(response: requests.Response, allowed: tuple[int, ...] = (200,)) -> dict[str, Any]:
    if response.status_code not in allowed:
        _require_ok(response)
    try:
        answer = response.json()
    except json.JSONDecodeError as error:
        raise ComfyError("connection", f"{response.url} answered with something that is not JSON") from error
    if not isinstance(answer, dict):
        raise ComfyError("connection", f"{response.url} answered with JSON that is no object")
    return answer


def _require_ok(response: requests.Response) -> None:
    if response.status_code >= 400:
        said = " ".join(response.text[:200].split())
        raise ComfyError("connection", f"{response.url} answered {response.status_code} {said}".rstrip())
