"""The command ``anime-pipeline``."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from anime_pipeline import __version__
from anime_pipeline.cli.commands import MARKUP, CommandsByName
from anime_pipeline.cli.console import print_error
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings

app = typer.Typer(
    name="anime-pipeline",
    help="A small studio's AI-anime production line: rendered, measured, gated and assembled.",
    cls=CommandsByName,
    no_args_is_help=True,
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a mistake of the user's is told in words and ends with status 1."""
    try:
        app()
    except UserError as error:
        print_error(error)
        sys.exit(1)
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        print_error(_wrong_settings(error))
        sys.exit(1)


def _wrong_settings(error: ValidationError) -> UserError:
    said = []
    for one in error.errors():
        name = ".".join(map(str, one["loc"]))
        # A pattern is for machines; what the setting is for has an example of it.
        other_form = one["type"] == "string_pattern_mismatch"
        wrong = "is not written so" if other_form else one["msg"].removeprefix("Value error, ")
        field = Settings.model_fields.get(name)
        meant = f" ({field.description.rstrip('.')})" if field and field.description else ""
        said.append(f"ANIME_{name.upper()}: {wrong}{meant}")
    return UserError("; ".join(said), "set it otherwise, or unset it; docs/OPERATIONS.md lists every setting")
