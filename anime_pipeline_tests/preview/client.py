"""The smallest client of the protocol: posts, listens, reads history. For tests only."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any
from uuid import uuid4

import requests
import websocket

Message = dict[str, Any]
Graph = dict[str, Any]


def picture_graph(prefix: str = "t1", seed: int = 7, size: int = 64, batch: int = 1) -> Graph:
    """EmptyImage -> ImageAddNoise -> SaveImage."""
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": size, "height": size, "batch_size": batch, "color": 3368601},
        },
        "2": {"class_type": "ImageAddNoise", "inputs": {"image": ["1", 0], "seed": seed, "strength": 0.3}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": prefix}},
    }


def video_graph(prefix: str = "film", frames: int = 6, fps: float = 24, seed: int = 7) -> Graph:
    """EmptyImage -> ImageAddNoise -> CreateVideo -> SaveVideo."""
    graph = picture_graph(prefix, seed, batch=frames)
    graph["3"] = {"class_type": "CreateVideo", "inputs": {"images": ["2", 0], "fps": fps}}
    graph["4"] = {
        "class_type": "SaveVideo",
        "inputs": {"video": ["3", 0], "filename_prefix": prefix, "format": "auto", "codec": "auto"},
    }
    return graph


def shot_graph(prefix: str = "shot", length: int = 4, figures: str = "[]", **inputs: Any) -> Graph:
    """AnimaticBackdrop + AnimaticCast -> AnimaticShot -> CreateVideo -> SaveVideo."""
    backdrop = {"location": "harbour", "time_of_day": "dusk", "mood": "calm", "palette": '{"sea": "#123456"}'}
    shot = {
        "backdrop": ["1", 0],
        "cast": ["2", 0],
        "kind": "video",
        "camera_angle": "wide",
        "action": "",
        "lines": "[]",
        "seed": 5,
        "width": 64,
        "height": 64,
        "length": length,
        "fps": 24,
        **inputs,
    }
    return {
        "1": {"class_type": "AnimaticBackdrop", "inputs": backdrop},
        "2": {"class_type": "AnimaticCast", "inputs": {"figures": figures}},
        "3": {"class_type": "AnimaticShot", "inputs": shot},
        "4": {"class_type": "CreateVideo", "inputs": {"images": ["3", 0], "fps": 24}},
        "5": {
            "class_type": "SaveVideo",
            "inputs": {"video": ["4", 0], "filename_prefix": prefix, "format": "mp4", "codec": "h264"},
        },
    }


class Client:
    """One client with its WebSocket open; waiting is bounded by the socket's time-out."""

    def __init__(self, url: str, client_id: str | None = None) -> None:
        self.url = url
        self.client_id = client_id or uuid4().hex
        address = f"{url.replace('http', 'ws', 1)}/ws?clientId={self.client_id}"
        self.socket = websocket.create_connection(address, timeout=20)
        self.greeting = self.receive()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def receive(self) -> Message:
        text = self.socket.recv()
        if not text:
            raise ConnectionError("the server closed the socket")
        message: Message = json.loads(text)
        return message

    def post(self, prompt: Graph, **body: Any) -> requests.Response:
        body = {"prompt": prompt, "client_id": self.client_id, **body}
        return requests.post(f"{self.url}/prompt", json=body, timeout=20)

    def messages_until_end(self, prompt_id: str) -> list[Message]:
        """All messages up to the one that says that this prompt has left the queue."""
        messages = [self.receive()]
        end = {"node": None, "prompt_id": prompt_id}
        while not (messages[-1]["type"] == "executing" and messages[-1]["data"] == end):
            messages.append(self.receive())
        return messages

    def wait_for(self, event: str, **fields: Any) -> Message:
        """The next message of this type whose data has these fields."""
        message = self.receive()
        while message["type"] != event or not fields.items() <= message["data"].items():
            message = self.receive()
        return message

    def render(self, prompt: Graph, **body: Any) -> dict[str, Any]:
        """Post, wait, and return the history entry."""
        answer = self.post(prompt, **body)
        assert answer.status_code == 200, answer.text
        prompt_id = answer.json()["prompt_id"]
        self.messages_until_end(prompt_id)
        entry: dict[str, Any] = self.get(f"/history/{prompt_id}")[prompt_id]
        return entry

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}{path}", timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post_to(self, path: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.url}{path}", json=body, timeout=20)

    def view(self, file: dict[str, str], **query: str) -> requests.Response:
        return requests.get(f"{self.url}/view", params={**file, **query}, timeout=20)

    def first_file(self, entry: dict[str, Any]) -> dict[str, str]:
        """The first file of a history entry's outputs."""
        file: dict[str, str] = next(iter(entry["outputs"].values()))["images"][0]
        return file
