"""The newer view of queue and history: /api/jobs."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from anime_pipeline.preview.prompt_queue import HistoryEntry, PromptQueue, QueueItem

_PREVIEWABLE = {".png", ".webp", ".jpg", ".jpeg", ".gif", ".mp4", ".webm"}


def find_job(queue: PromptQueue, prompt_id: str) -> dict[str, Any] | None:
    """One job with everything known of it."""
    entry = queue.entry(prompt_id)
    if entry is not None:
        return {**_finished(entry), **_details(entry)}
    running, pending = queue.snapshot()
    for status, items in (("in_progress", running), ("pending", pending)):
        for item in items:
            if item.prompt_id == prompt_id:
                return {**_waiting(item, status), "workflow": _workflow(item)}
    return None


def list_jobs(
    queue: PromptQueue, statuses: set[str] | None, offset: int, limit: int | None
) -> dict[str, Any]:
    """All jobs: running, pending in order of execution, then finished, newest first."""
    running, pending = queue.snapshot()
    jobs = [_waiting(item, "in_progress") for item in running]
    jobs += [_waiting(item, "pending") for item in sorted(pending, key=lambda item: item.number)]
    jobs += [_finished(entry) for entry in reversed(queue.entries())]
    chosen = [job for job in jobs if statuses is None or job["status"] in statuses]
    page = chosen[offset:] if limit is None else chosen[offset : offset + limit]
    return {
        "jobs": page,
        "pagination": {
            "offset": offset,
            "limit": limit,
            "total": len(chosen),
            "has_more": offset + len(page) < len(chosen),
        },
    }


def _waiting(item: QueueItem, status: str) -> dict[str, Any]:
    return {
        "id": item.prompt_id,
        "status": status,
        "priority": item.number,
        "create_time": item.extra_data.get("create_time"),
        "outputs_count": 0,
    }


def _finished(entry: HistoryEntry) -> dict[str, Any]:
    messages = dict(entry.status["messages"])
    last = entry.status["messages"][-1]
    job = {
        "id": entry.item.prompt_id,
        "status": _status(last[0]),
        "priority": entry.item.number,
        "create_time": entry.item.extra_data.get("create_time"),
        "execution_start_time": messages["execution_start"]["timestamp"],
        "execution_end_time": last[1]["timestamp"],
    }
    if last[0] == "execution_error":
        job["execution_error"] = last[1]
    files = [
        {**file, "nodeId": node_id, "mediaType": media}
        for node_id, output in entry.outputs.items()
        for media, found in output.items()
        for file in found
        if isinstance(file, dict)
    ]
    shown = [file for file in files if PurePosixPath(file["filename"]).suffix in _PREVIEWABLE]
    job |= {"outputs_count": len(files), "previewable_outputs_count": len(shown)}
    return {**job, "preview_output": shown[0]} if shown else job


def _status(last_message: str) -> str:
    ends = {"execution_success": "completed", "execution_interrupted": "cancelled"}
    return ends.get(last_message, "failed")


def _details(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "outputs": entry.outputs,
        "execution_status": entry.status,
        "workflow": _workflow(entry.item),
    }


def _workflow(item: QueueItem) -> dict[str, Any]:
    return {"prompt": item.prompt, "extra_data": item.extra_data}
