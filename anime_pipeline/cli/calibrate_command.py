"""``anime-pipeline calibrate``: what a project's own pictures say of its metrics."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from anime_pipeline.cli.console import JsonOption, out, print_error, print_json, print_table
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.quality.calibrating import (
    CalibrationReport,
    Subject,
    calibrate_identity,
    calibrate_style,
)
from anime_pipeline.quality.enrolment import project_profile
from anime_pipeline.quality.style_pictures import add_style_pictures, remove_style_pictures

Pictures = list[Path] | None


def calibrate(
    project: Annotated[str, typer.Argument(help="A project's slug.")],
    subject: Annotated[
        Literal["identity", "style", "both"], typer.Option("--subject", help="What to calibrate.")
    ] = "both",
    style: Annotated[
        Pictures, typer.Option("--style", help="An approved picture of the show's style; kept from now on.")
    ] = None,
    other: Annotated[
        Pictures,
        typer.Option("--other", help="A picture of another style to tell it from; kept from now on."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove", metavar="PICTURE", help="A picture given before, by its file or sha256; not kept."
        ),
    ] = None,
    style_backend: Annotated[
        Literal["csd", "clip"], typer.Option("--style-backend", help="What embeds pictures for the style.")
    ] = "csd",
    as_json: JsonOption = False,
) -> None:
    """Calibrate identity and style on the show's own anchors and references; stored, with a plot each.

    Exit status 1 where something asked could not be calibrated.
    """
    house = open_house()
    with session_scope(house.settings) as session:
        project_profile(session, project)
        remove_style_pictures(session, project, remove or [])
        add_style_pictures(session, house.settings, project, style or [], other or [])
    subjects: tuple[Subject, ...] = ("identity", "style") if subject == "both" else (subject,)
    reports: list[CalibrationReport] = []
    failures: list[tuple[Subject, UserError]] = []
    for one in subjects:
        try:
            reports.append(_calibrated(house, project, one, style_backend))
        except UserError as error:
            failures.append((one, error))
    if as_json:
        print_json({"calibrations": [_as_json(report) for report in reports], "failures": _told(failures)})
    else:
        _print(project, reports, failures)
    if failures:
        raise typer.Exit(1)


def _calibrated(house: House, project: str, subject: Subject, style_backend: str) -> CalibrationReport:
    with session_scope(house.settings) as session:
        if subject == "identity":
            return calibrate_identity(session, house.settings, project)
        return calibrate_style(session, house.settings, project, style_backend)


def _print(project: str, reports: list[CalibrationReport], failures: list[tuple[Subject, UserError]]) -> None:
    if reports:
        columns = (
            "metric", "backend", "references", "same", "different", "AUC", "threshold", "same pass",
            "different pass",
        )  # fmt: skip
        print_table(f"Calibration of {project}", columns, [_row(report) for report in reports])
    for report in reports:
        if not report.separation.separates:
            out.print(f"{report.metric} by {report.backend} cannot tell this show's pictures apart.")
        out.print(str(report.plot), soft_wrap=True)
    for subject, error in failures:
        print_error(error, f"{subject}:")


def _row(report: CalibrationReport) -> tuple[object, ...]:
    found = report.separation
    passing = found.passing(report.threshold)
    return (
        report.metric,
        report.backend,
        report.references_sha256[:12],
        _spread(found.same),
        _spread(found.different),
        found.auc,
        report.threshold,
        f"{passing[0]:.0%}" if passing else None,
        f"{passing[1]:.0%}" if passing else None,
    )


def _spread(values: tuple[float, ...]) -> str:
    middle = sorted(values)[len(values) // 2]
    return f"{len(values)}: {min(values):.2f} · {middle:.2f} · {max(values):.2f}"


def _as_json(report: CalibrationReport) -> dict[str, Any]:
    passing = report.separation.passing(report.threshold)
    return {
        **asdict(report),
        "separates": report.separation.separates,
        "same_passing": passing and passing[0],
        "different_passing": passing and passing[1],
    }


def _told(failures: list[tuple[Subject, UserError]]) -> list[dict[str, str | None]]:
    return [{"subject": one, "message": str(error), "remedy": error.remedy} for one, error in failures]
