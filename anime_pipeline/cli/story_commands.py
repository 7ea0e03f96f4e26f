"""``anime-pipeline import`` and ``prompt``: the story goes in, and what it says of a cut comes out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from anime_pipeline.cli.changes import told_change
from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json, print_table
from anime_pipeline.cli.dagster_process import run_jobs
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.wanted_recipes import wanted_recipes
from anime_pipeline.story.importer import Difference, apply, compare
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.mistakes import ProductionErrors
from anime_pipeline.story.production import production_json_schema
from anime_pipeline.story.prompts import compose_prompt
from anime_pipeline.story.reader import read_production


def import_production(
    file: Annotated[Path | None, typer.Argument(help="The production file (YAML).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the difference and write nothing.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the file and stop.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the database, and Dagster's partitions, up to a production file: all of it, or nothing."""
    if schema:
        print_json(production_json_schema())
        return
    if file is None:
        raise UserError("Which file?", "anime-pipeline import examples/lantern-post/production.yaml")
    try:
        house = open_house()
        difference = import_file(house, file, dry_run)
    except ProductionErrors as errors:
        if not as_json:
            raise
        print_json({"errors": [asdict(error) for error in errors.errors]})
        raise typer.Exit(1) from None
    if not (dry_run or difference.is_empty):
        run_jobs(house, ["sync"])
    print_json(difference.as_json()) if as_json else _print_difference(difference, dry_run)


def import_file(house: House, file: Path, dry_run: bool = False) -> Difference:
    """Read, compare and, unless it is a dry run, write a production file in one transaction.

    What its cuts want is composed then, once and while a person waits anyway, for whoever asks about them.
    """
    production = read_production(file)
    with session_scope(house.settings) as session:
        difference = compare(session, production)
        if not dry_run:
            apply(session, production, difference, MediaStore.of(house.settings))
    if dry_run or difference.is_empty:
        return difference
    # The story is written; whatever keeps a cut from being composed is for `status` to tell.
    with suppress(UserError), session_scope(house.settings) as session:
        wanted_recipes(session, house.settings, active_cut_keys(session, production.project.slug))
    return difference


def _print_difference(difference: Difference, dry_run: bool) -> None:
    rows = [
        (entry.kind, entry.name, entry.state, "\n".join(map(told_change, entry.changes)))
        for entry in difference.entries
    ]
    if rows:
        print_table("Would change" if dry_run else "Changed", ("kind", "name", "state", "fields"), rows)
    unchanged = sum(difference.unchanged.values())
    out.print(f"{len(rows)} {'to change' if dry_run else 'changed'}, {unchanged} unchanged")


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
