"""``anime-pipeline reproduce``: renders takes again from their stored recipes and compares."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.reproducibility import record_reproductions
from anime_pipeline.rendering.events import RenderEvent
from anime_pipeline.rendering.reproduction import ReproductionReport
from anime_pipeline.rendering.reproduction import reproduce as render_again

Jobs = Annotated[list[int], typer.Argument(help="Job ids of finished takes: anime-pipeline takes list CUT.")]


def reproduce(jobs: Jobs, as_json: JsonOption = False) -> None:
    """Render takes again from their stored recipes and say whether the same pixels come out.

    The second take is never selected. Exit status 1 when one was not identical.
    """
    house = open_house()
    reports = render_again(house.settings, jobs, _tell)
    with session_scope(house.settings) as session:
        record_reproductions(session, jobs)
    store = MediaStore.of(house.settings)
    pictures = [
        store.local_path(one.difference_sha256, ".png") if one.difference_sha256 else None for one in reports
    ]
    if as_json:
        print_json(
            [{**asdict(one), "difference_picture": path} for one, path in zip(reports, pictures, strict=True)]
        )
    else:
        rows = [
            (one.job_id, one.second_job_id, one.verdict, one.psnr, one.ssim, one.reason, path)
            for one, path in zip(reports, pictures, strict=True)
        ]
        columns = ("job", "again as", "verdict", "PSNR", "SSIM", "found", "difference picture")
        print_table("Reproduction", columns, rows)
        _print_changes(reports)
    if any(one.verdict != "identical" for one in reports):
        raise typer.Exit(1)


def _print_changes(reports: list[ReproductionReport]) -> None:
    changes = [
        (one.job_id, change.field, change.before, change.after)
        for one in reports
        for change in one.environment
    ]
    if changes:
        print_table("What has changed since", ("job", "field", "then", "now"), changes)
    elif any(one.verdict in ("equal_within_2", "different") for one in reports):
        out.print("Nothing that the servers tell has changed.")


def _tell(event: RenderEvent) -> None:
    if event.kind in ("finished", "failed", "retried"):
        err.print(f"{event.cut_key} take {event.take_number}: {event.kind} {event.message}".rstrip())
