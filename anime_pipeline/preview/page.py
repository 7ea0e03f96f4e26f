"""The page for a person who opens the server's address in a browser."""

from __future__ import annotations

from html import escape
from pathlib import PurePosixPath
from urllib.parse import urlencode

from anime_pipeline.preview.prompt_queue import HistoryEntry, PromptQueue

SHOWN_RENDERS = 12

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>Preview server</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  background: #14161c; color: #e8e6e1 }}
a {{ color: #8ec5ff }} main {{ display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)) }}
figure {{ margin: 0 }} img, video {{ width: 100%; border-radius: .4rem; background: #000 }}
figcaption {{ font-size: .85rem; overflow-wrap: anywhere }} .error {{ color: #ff9d8a }}
</style></head><body>
<h1>Preview server</h1>
<p>This server draws animatics: moving storyboards that show an episode's timing before any GPU is used.
It speaks ComfyUI's protocol, and it is not ComfyUI: no model runs here.</p>
<p>{running} running, {pending} waiting, {finished} finished since the server started.
Renders are kept while the server runs.</p>
<h2>Last renders</h2><main>{renders}</main></body></html>
"""


def front_page(queue: PromptQueue) -> str:
    """HTML with the queue's depth and the last renders."""
    running, pending = queue.snapshot()
    entries = queue.entries()
    shown = [_figure(entry) for entry in reversed(entries[-SHOWN_RENDERS:])]
    return _PAGE.format(
        running=len(running),
        pending=len(pending),
        finished=len(entries),
        renders="".join(shown) or "<p>Nothing yet.</p>",
    )


def _figure(entry: HistoryEntry) -> str:
    files = [file for output in entry.outputs.values() for file in output.get("images", ())]
    if not files:
        event, data = entry.status["messages"][-1]
        reason = data.get("exception_message", event.replace("_", " "))
        return f'<figure><figcaption class="error">{escape(reason)}</figcaption></figure>'
    file = files[0]
    url = escape("/view?" + urlencode(file), quote=True)
    is_video = PurePosixPath(file["filename"]).suffix in (".mp4", ".webm")
    picture = (
        f'<video src="{url}" preload="metadata" controls muted loop></video>'
        if is_video
        else f'<img src="{url}" alt="" loading="lazy">'
    )
    name = escape(f"{file['subfolder']}/{file['filename']}".lstrip("/"))
    return f'<figure>{picture}<figcaption><a href="{url}">{name}</a></figcaption></figure>'
