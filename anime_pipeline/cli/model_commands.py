"""``anime-pipeline models``: the weights of learned metrics; nothing is fetched unless asked for here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_json, print_table
from anime_pipeline.quality.engines.weights import (
    catalogue,
    locate,
    missing_files,
    remedy,
    verify,
    weights_named,
)
from anime_pipeline.quality.engines.weights_fetching import fetch as fetch_weights
from anime_pipeline.settings import get_settings

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A name from `anime-pipeline models list`.")]


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """All weights: what uses them, their size and licence, and whether they are here."""
    folder = get_settings().models_path
    present = {entry.name: not missing_files(entry.name, folder) for entry in catalogue()}
    if as_json:
        print_json([{**asdict(entry), "present": present[entry.name]} for entry in catalogue()])
        return
    rows = [
        (e.name, ", ".join(e.used_by), e.megabytes, e.licence, "yes" if present[e.name] else "no")
        for e in catalogue()
    ]
    print_table(f"Weights in {folder}", ("name", "used by", "MB", "licence", "here"), rows)


@app.command()
def show(name: Name) -> None:
    """All that is known of these weights: licence, use, each file with its place, source and sha256."""
    entry, folder = weights_named(name), get_settings().models_path
    out.print(f"{entry.name}: {entry.megabytes:g} MB, for {', '.join(entry.used_by)}")
    out.print(f"licence: {entry.licence}" + ("" if entry.commercial_use else "; not for commercial use"))
    missing = missing_files(name, folder)
    for file, path in zip(entry.files, locate(name, folder), strict=True):
        out.print(f"{path}" + (" (absent)" if path in missing else ""), soft_wrap=True)
        inside = f", in it {file.member}" if file.member else ""
        out.print(f"  from {file.source}{inside}", soft_wrap=True)
        out.print(f"  sha256 {file.sha256 or 'not stated by its publisher'}", soft_wrap=True)
    if missing:
        out.print(f"to have them: {remedy(name)}", soft_wrap=True)


@app.command()
def where(name: Name, as_json: JsonOption = False) -> None:
    """The files of these weights, each where it lies or would."""
    paths = locate(name, get_settings().models_path)
    if as_json:
        print_json(paths)
        return
    for path in paths:
        print(path)


@app.command("verify")
def verify_models(
    name: Annotated[str | None, typer.Argument(help="Without it, all weights that are here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Hash the files of the weights that are here and say whether each is what it should be."""
    folder = get_settings().models_path
    names = [weights_named(name).name] if name else [e.name for e in catalogue()]
    checks = [
        (entry, check)
        for entry in names
        for check in verify(entry, folder)
        if name or check.state != "absent"
    ]
    if as_json:
        print_json([{"name": entry, "file": check.path, "state": check.state} for entry, check in checks])
    else:
        rows = [(entry, check.path.name, check.state, check.message) for entry, check in checks]
        print_table(f"Weights in {folder}", ("name", "file", "state", "message"), rows)
    if not all(check.usable for _, check in checks):
        raise typer.Exit(1)


@app.command()
def fetch(
    name: Name,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Consent to a licence that forbids commercial use.")
    ] = False,
) -> None:
    """Download weights, resuming where an earlier try stopped; each file is verified before it is used."""
    seen: set[str] = set()

    def on_progress(file: str, _received: int, total: int | None) -> None:
        if file not in seen:
            seen.add(file)
            err.print(f"fetching {file}" + (f", {total / 1e6:.0f} MB" if total else ""))

    def on_wait() -> None:
        err.print(f"another process fetches {name} here; waiting for its end")

    for path in fetch_weights(name, get_settings().models_path, accept_licence, on_progress, on_wait):
        out.print(str(path), soft_wrap=True)
