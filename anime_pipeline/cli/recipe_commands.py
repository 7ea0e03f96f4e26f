"""``anime-pipeline recipe``: what a take or a graph renders with; recipes out to a file and in again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.extraction.parameters import Parameters, extract
from anime_pipeline.rendering.recipe_files import read_recipe_file, write_recipe_file
from anime_pipeline.rendering.recipe_import import import_recipe
from anime_pipeline.rendering.takes import take_graph
from anime_pipeline.rendering.templates import Graph, read_graph
from anime_pipeline.review.forecast import counted

app = typer.Typer(no_args_is_help=True)
JobId = Annotated[int, typer.Argument(help="The job id of a take: anime-pipeline takes list CUT.")]


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A take's job id, or a graph in API format (FILE.json).")],
    as_json: JsonOption = False,
) -> None:
    """Everything that a take or a graph renders with: samplers, models, LoRAs, sizes, prompts."""
    parameters = extract(_graph(what))
    if as_json:
        print_json(parameters.as_json())
        return
    for number, sampler in enumerate(parameters.as_json()["samplers"]):
        title = f"{sampler['title']} ({sampler['class_type']})"
        mark = ", begins the picture" if number == parameters.main and len(parameters.samplers) > 1 else ""
        rows = [(name, _said(value)) for name, value in sampler.items() if value not in (None, (), [])]
        print_table(f"Sampler {number + 1}: {title}{mark}", ("parameter", "value"), rows)
    print_facts(_rest(parameters))


@app.command("export")
def export_recipe(
    job: JobId,
    file: Annotated[Path, typer.Argument(help="The file to write.", dir_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Write a finished take's recipe, inputs and pictures into one file."""
    house = open_house()
    with session_scope(house.settings) as session:
        manifest = write_recipe_file(session, house.settings, job, file)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
    else:
        out.print(
            f"{file}: recipe {manifest.recipe_hash}, {counted(len(manifest.files), 'file')}", soft_wrap=True
        )


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A file that recipe export wrote.", dir_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Bring a recipe in as a finished take, outside any story, and say how to render it again."""
    read = read_recipe_file(file)
    house = open_house()
    with session_scope(house.settings) as session:
        job = import_recipe(session, house.settings, read)
    if as_json:
        print_json({"job_id": job, "recipe_hash": read.manifest.recipe_hash})
    else:
        out.print(f"{read.manifest.cut_key} is job {job}; to render it again: anime-pipeline reproduce {job}")


def _graph(what: str) -> Graph:
    if not what.isdecimal():
        return read_graph(Path(what))
    house = open_house()
    with session_scope(house.settings) as session:
        return take_graph(session, int(what))


def _rest(parameters: Parameters) -> dict[str, object]:
    facts = {"VAE": parameters.vae, "frames": parameters.frames, "fps": parameters.fps}
    told: dict[str, object] = {name: value for name, value in facts.items() if value is not None}
    return told if parameters.samplers else {"samplers": "none", **told}


def _said(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items() if one is not None)
    if isinstance(value, (list, tuple)):
        return "\n".join(str(_said(one)) for one in value)
    return value if isinstance(value, str) else str(value)
