"""``anime-pipeline import``, ``shots``, ``prompt``: the story goes in, and what it says of cuts comes out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from anime_pipeline.cli.changes import told_change
from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json, print_table
from anime_pipeline.cli.dagster_process import run_jobs
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.cli.scopes import Scope
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.wanted_recipes import wanted_recipes
from anime_pipeline.story.importer import Difference, apply, compare, slug_of
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.mistakes import ProductionErrors
from anime_pipeline.story.production import Production, production_json_schema
from anime_pipeline.story.prompts import compose_prompt
from anime_pipeline.story.reader import read_production
from anime_pipeline.story.shot_list import SUFFIXES, WORKBOOKS, ShotList, read_shot_list
from anime_pipeline.story.shot_list_export import named_project, shot_csv, shots_of


def import_production(
    file: Annotated[
        Path | None, typer.Argument(help="The production file (YAML), or a shot list (.csv, .tsv).")
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(help="Of a shot list: the project's key; without it, the only project there is."),
    ] = None,
    omit_missing: Annotated[
        bool,
        typer.Option("--omit-missing", help="Of a shot list: omit cuts of its scenes that have no row."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the difference and write nothing.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the file and stop.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the database, and Dagster's partitions, up to a production file or shot list: all or nothing.

    A shot list changes the cuts that have a row in it, and of those the fields that have a column.
    """
    if schema:
        print_json(production_json_schema())
        return
    if file is None:
        raise UserError("Which file?", "anime-pipeline import examples/lantern-post/production.yaml")
    try:
        house = open_house()
        difference = import_file(house, file, dry_run, project, omit_missing)
    except ProductionErrors as errors:
        if not as_json:
            raise
        print_json({"errors": [asdict(error) for error in errors.errors]})
        raise typer.Exit(1) from None
    if not (dry_run or difference.is_empty):
        run_jobs(house, ["sync"])
    print_json(difference.as_json()) if as_json else _print_difference(difference, dry_run)


def import_file(
    house: House,
    file: Path,
    dry_run: bool = False,
    project: str | None = None,
    omit_missing: bool = False,
) -> Difference:
    """Read, compare and, unless it is a dry run, write a production file or shot list in one transaction.

    What its cuts want is composed then, once and while a person waits anyway, for whoever asks about them.
    """
    with session_scope(house.settings) as session:
        story = _story_in(session, file, project, omit_missing)
        difference = compare(session, story)
        if not dry_run:
            apply(session, story, difference, MediaStore.of(house.settings))
    if dry_run or difference.is_empty:
        return difference
    # The story is written; whatever keeps a cut from being composed is for `status` to tell.
    with suppress(UserError), session_scope(house.settings) as session:
        wanted_recipes(session, house.settings, active_cut_keys(session, slug_of(story)))
    return difference


def _story_in(session: Session, file: Path, project: str | None, omit_missing: bool) -> Production | ShotList:
    suffix = file.suffix.lower()
    if suffix in SUFFIXES:
        slug, _ = named_project(session, project)
        return read_shot_list(file, slug, omit_missing)
    if suffix in WORKBOOKS:
        raise UserError(f"{file.name} is a workbook.", "Save its sheet as 'CSV UTF-8' and import that.")
    if project is not None or omit_missing:
        raise UserError(
            "--project and --omit-missing are of a shot list (.csv, .tsv).",
            "A production file names its project, and omits the cuts that are gone from it, by itself.",
        )
    return read_production(file)


def _print_difference(difference: Difference, dry_run: bool) -> None:
    rows = [
        (entry.kind, entry.name, entry.state, "\n".join(map(told_change, entry.changes)))
        for entry in difference.entries
    ]
    if rows:
        print_table("Would change" if dry_run else "Changed", ("kind", "name", "state", "fields"), rows)
    unchanged = sum(difference.unchanged.values())
    out.print(f"{len(rows)} {'to change' if dry_run else 'changed'}, {unchanged} unchanged")


def shots(
    scope: Scope = None,
    semicolons: Annotated[
        bool, typer.Option("--semicolons", help="Between the cells, as Excel wants them in much of Europe.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the shot list, a row for each cut, as CSV for a spreadsheet; `import` brings it back, edited."""
    house = open_house()
    with session_scope(house.settings) as session:
        listed = shots_of(session, scope)
    if as_json:
        print_json(listed)
    else:
        print(shot_csv(listed, ";" if semicolons else ","), end="")


def prompt(cut: Annotated[str, typer.Argument(help="A cut key.")], as_json: JsonOption = False) -> None:
    """Show a cut's prompt and where each part of it comes from."""
    house = open_house()
    with session_scope(house.settings) as session:
        contexts = load_cut_contexts(session, [cut])
    composed = compose_prompt(contexts[cut])
    if as_json:
        print_json(asdict(composed))
        return
    print_table(f"Prompt of {cut}", ("from", "text"), [(part.source, part.text) for part in composed.parts])
    print_facts({"positive": composed.positive, "negative": composed.negative})
