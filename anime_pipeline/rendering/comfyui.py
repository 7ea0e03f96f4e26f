"""A typed client of one ComfyUI server. Every request has a time-out and every failure a class."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import requests

from anime_pipeline.rendering.comfyui_errors import (
    ComfyConnectionError,
    ComfyError,
    RejectedPromptError,
    rejection,
)
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.server_access import access_to, own_authorities

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
ASIDE_SECONDS = 10.0
# A film of many megabytes, or an upload, over a slow line: time-out between two reads, not of the whole.
TRANSFER_SECONDS = 120.0
_BLOCK = 1 << 18
# What reading an answer raises that is JSON, and not what ComfyUI answers.
_MISREAD = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
_ANOTHER = "is it the address of another program, or of a proxy that lets nobody in?"
_LET_IN = "name it in ANIME_COMFYUI_URLS with what its proxy asks: https://user:password@host or https://host?token=…"
T = TypeVar("T")


class ComfyClient:
    """HTTP to one server; may be used from several threads (each has its own connection).

    ``url`` may carry user, password and query, which go with each request and are never said.
    """

    def __init__(self, url: str) -> None:
        try:
            self._access = access_to(url)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            raise ComfyError("connection", message, remedy) from None
        self.url = self._access.url
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
            refused = response.status_code == 400 or answer.get("node_errors")
            error = rejection(graph, answer) if refused else None
            given = str(answer["prompt_id"]) if response.status_code == 200 else prompt_id
        if error is not None:
            if response.status_code == 200:
                self.cancel(given)
            raise error
        if given != prompt_id:
            self.cancel(given)
            raise RejectedPromptError(
                f"{self.url} ran the prompt under {given}, not under the id that it was given",
                "use ComfyUI 0.3.64 or newer",
            )

    def queue(self) -> tuple[list[str], list[str]]:
        """Ids of running and of pending prompts, each in the order in which they run."""
        running, pending = self._queued()
        return [str(entry[1]) for entry in running], [str(entry[1]) for entry in pending]

    def client_id_of(self, prompt_id: str) -> str | None:
        """The client that a prompt in the queue was posted for: only that one is told how it goes on."""
        running, pending = self._queued()
        for entry in (*running, *pending):
            told = entry[3] if len(entry) > 3 and isinstance(entry[3], dict) else {}
            if entry[1] == prompt_id and isinstance(told.get("client_id"), str):
                return cast(str, told["client_id"])
        return None

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The history entry of a prompt, or None while there is none."""
        return self._get(f"/history/{prompt_id}", lambda answer: _entry(answer.get(prompt_id)))

    def view(self, file: Mapping[str, str], target: Path) -> None:
        """Stream an output's original bytes to ``target``."""
        asked = {key: file.get(key, "") for key in ("filename", "subfolder", "type")}
        with self._request("GET", "/view", params=asked, stream=True, timeout=TRANSFER_SECONDS) as response:
            if response.status_code == 404:
                raise ComfyError("contract", f"{self.url} no longer has the output {asked['filename']}")
            _require_ok(response)
            with target.open("wb") as out:
                for block in response.iter_content(_BLOCK):
                    out.write(block)

    def upload(self, path: Path, name: str) -> str:
        """Upload an input picture under the name of its content; the name that the server gave it.

        What was sent once by this client is not sent again. Nothing is overwritten, since another prompt may
        be reading the file: of equal bytes the server keeps what it has, others it puts under a free name.
        """
        if name not in self._uploaded:
            with path.open("rb") as file:
                fields = {"type": "input"}
                files = {"image": (name, file)}
                with self._request(
                    "POST", "/upload/image", data=fields, files=files, timeout=TRANSFER_SECONDS
                ) as response:
                    if response.status_code == 413:
                        raise RejectedPromptError(
                            f"{self.url} does not take the picture {name}: it is too large",
                            "make it smaller, or start ComfyUI with a larger --max-upload-size; a proxy "
                            "before it may have a limit of its own",
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
        return self._get("/object_info", _node_classes)

    def system_stats(self) -> dict[str, Any]:
        """Versions and devices."""
        return self._get("/system_stats", dict)

    def told(self, path: str, **params: str) -> Any:
        """What a route says that not every version has; None where it says nothing."""
        try:
            with self._request("GET", path, params=params, timeout=ASIDE_SECONDS) as response:
                return response.json() if response.ok else None
        except ComfyError:
            return None

    def _queued(self) -> tuple[list[Any], list[Any]]:
        return self._get("/queue", _in_order)

    def _get(self, path: str, read: Callable[[dict[str, Any]], T]) -> T:
        with self._request("GET", path) as response:
            return read(_json(response))

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        with self._request("POST", path, json=body) as response:
            _require_ok(response)

    @contextmanager
    def _request(
        self,
        method: str,
        path: str,
        timeout: float = READ_SECONDS,
        params: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Iterator[requests.Response]:
        try:
            with self._session().request(
                method, self.url + path, timeout=(CONNECT_SECONDS, timeout), allow_redirects=False,
                params={**(params or {}), **self._access.query}, **options,
            ) as response:  # fmt: skip
                # Following it would turn a POST into a GET.
                if response.is_redirect:
                    raise ComfyError(
                        "connection",
                        f"{self.url} sends on to {response.headers['Location'].partition('?')[0]}",
                        "name the address that it sends on to",
                    )
                yield response
        except requests.RequestException as error:
            raise ComfyConnectionError(self.url, error) from error
        except _MISREAD as error:
            raise ComfyError(
                "connection", f"{self.url}{path} answered otherwise than ComfyUI does", _ANOTHER
            ) from error

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            session = self._local.session = requests.Session()
            session.trust_env = False  # a proxy of the office has no business between the two
            session.headers.update(self._access.headers)
            session.verify = own_authorities() or True
        return cast(requests.Session, self._local.session)


def _in_order(answer: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """The entries of running and of pending prompts: number, id, graph, what else was posted."""
    running, pending = (
        sorted(answer.get(name, []), key=itemgetter(0, 1)) for name in ("queue_running", "queue_pending")
    )
    return running, pending


def _entry(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    """An entry of the history: its messages are of a kind and a mapping each, its outputs are by node."""
    if entry is None:
        return None
    status, outputs = entry.get("status") or {}, entry.get("outputs") or {}
    _all_mappings([*(said for _, said in status.get("messages") or []), *outputs.values()])
    return {**entry, "status": status, "outputs": outputs}


def _node_classes(answer: dict[str, Any]) -> dict[str, Any]:
    _all_mappings(answer.values())
    _all_mappings(node.get("input") or {} for node in answer.values())
    return answer


def _all_mappings(values: Iterable[object]) -> None:
    if not all(isinstance(one, dict) for one in values):
        raise TypeError("another thing than a mapping")


def _json(response: requests.Response, allowed: tuple[int, ...] = (200,)) -> dict[str, Any]:
    if response.status_code not in allowed:
        _require_ok(response)
    try:
        answer = response.json()
    except json.JSONDecodeError as error:
        raise ComfyError(
            "connection", f"{_route(response)} answered with something that is no JSON", _ANOTHER
        ) from error
    if not isinstance(answer, dict):
        raise ComfyError("connection", f"{_route(response)} answered with JSON that is no object", _ANOTHER)
    return answer


def _require_ok(response: requests.Response) -> None:
    if response.status_code >= 400:
        said = " ".join(response.text[:200].split())
        raise ComfyError(
            "connection",
            f"{_route(response)} answered {response.status_code} {said}".rstrip(),
            _LET_IN if response.status_code in (401, 403, 407) else None,
        )


def _route(response: requests.Response) -> str:
    """What was asked, without the query: a token may be in it."""
    return str(response.url).partition("?")[0]
