"""``anime-pipeline workflow``: a studio's own ComfyUI graphs, checked before anybody renders with them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.templates import Template, TemplateError, TemplateLibrary, read_template
from anime_pipeline.rendering.workflow_check import Finding, add_workflow, check_workflow, origin_of
from anime_pipeline.review.forecast import counted
from anime_pipeline.settings import get_settings

app = typer.Typer(no_args_is_help=True)
File = Annotated[
    Path, typer.Argument(help="A graph in API format, with its sidecar FILE.yaml beside it.", dir_okay=False)
]
Named = Annotated[Path, typer.Argument(help="As for add, or the name of a workflow of the list.")]
Server = Annotated[str | None, typer.Option("--server", help="URL of a ComfyUI server to check against.")]


@app.command("list")
def list_workflows(as_json: JsonOption = False) -> None:
    """Every workflow that a cut may name, shipped or the studio's own."""
    settings = get_settings()
    library = TemplateLibrary.of(settings)
    rows: list[dict[str, Any]] = []
    for name in library:
        try:
            sidecar = library.get(name).sidecar
            told = {"serves": list(sidecar.serves), "description": sidecar.description, "mistake": None}
        except TemplateError as error:
            told = {"serves": [], "description": "", "mistake": str(error)}
        rows.append({"name": name, "origin": origin_of(settings, name), **told})
    if as_json:
        print_json(rows)
        return
    columns = ("workflow", "from", "serves", "what it is")
    shown = [(r["name"], r["origin"], ", ".join(r["serves"]), r["mistake"] or r["description"]) for r in rows]
    print_table("Workflows", columns, shown)


@app.command()
def check(file: Named, server: Server = None, as_json: JsonOption = False) -> None:
    """Check graph and sidecar, and with --server every node, input and model; exit status 1 for mistakes."""
    _tell(*_checked(file, server), server, as_json)


def _checked(file: Path, server: str | None) -> tuple[Template, list[Finding]]:
    template = _template(file)
    info = ComfyClient(server).object_info() if server else None
    return template, check_workflow(template, info)


def _tell(template: Template, findings: list[Finding], server: str | None, as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in findings])
    else:
        _print(findings)
        mistakes = counted(sum(one.severity == "mistake" for one in findings), "mistake")
        where = f" on {server}" if server else ""
        slots = counted(len(template.sidecar.slots), "slot")
        out.print(f"{template.name}: {mistakes}{where}, {slots}")
    if any(one.severity == "mistake" for one in findings):
        raise typer.Exit(1)


@app.command()
def add(
    file: File,
    server: Server = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the one of this name.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a workflow and copy it, with its sidecar, to the studio's own (ANIME_WORKFLOWS, or the home)."""
    checked, findings = _checked(file.with_suffix(".json"), server)
    # With --json what was found is part of the one document, unless it is all that there is to tell.
    if server and (not as_json or any(one.severity == "mistake" for one in findings)):
        _tell(checked, findings, server, as_json)
    template = add_workflow(get_settings(), file.with_suffix(".json"), replace)
    if as_json:
        found = [asdict(one) for one in findings]
        print_json({"name": template.name, "sha256": template.sha256, "findings": found})
    else:
        kinds = " or ".join(template.sidecar.serves)
        out.print(
            f"{template.name} is added: write `workflow: {template.name}` at a {kinds} cut", soft_wrap=True
        )


def _template(file: Path) -> Template:
    if file.suffix or file.with_suffix(".json").is_file():
        return read_template(file.with_suffix(".json"))
    return TemplateLibrary.of(get_settings()).get(str(file))


def _print(findings: list[Finding]) -> None:
    if findings:
        rows = [(one.severity, one.message, one.remedy) for one in findings]
        print_table("Findings", ("", "what", "to mend it"), rows)
