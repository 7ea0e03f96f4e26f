"""``anime-pipeline retake``: have a cut taken again, and see what was asked and what came of it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.cli.production import produce_cuts
from anime_pipeline.cli.scopes import Scope
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.review.directions import RetakeRequest
from anime_pipeline.review.retakes import RetakeInfo, ask_retake, list_retakes, withdraw_retake


class _CutOrCommand(TyperGroup):
    """``retake CUT`` is ``retake ask CUT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["ask", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_CutOrCommand, no_args_is_help=True)

Pairs = list[str] | None


@app.command()
def ask(
    cut: Annotated[str, typer.Argument(help="A cut key.")],
    note: Annotated[str, typer.Option(help="Why, in your words.")] = "",
    prompt: Annotated[str | None, typer.Option(help="Added to the prompt.")] = None,
    negative: Annotated[str | None, typer.Option(help="Added to the negative prompt.")] = None,
    camera: Annotated[str | None, typer.Option(help="In place of the cut's camera_angle.")] = None,
    action: Annotated[str | None, typer.Option(help="In place of the cut's action_notes.")] = None,
    seed: Annotated[int | None, typer.Option(help="In place of the cut's seed.")] = None,
    variation: Annotated[Pairs, typer.Option(help="CHARACTER=NAME: what a character wears.")] = None,
    expression: Annotated[Pairs, typer.Option(help="CHARACTER=TEXT: what a character feels.")] = None,
    by: Annotated[str | None, typer.Option(help="Who asks; without it, your account's name.")] = None,
    render: Annotated[bool, typer.Option(help="Render, measure and judge it now.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Have a cut taken again. Without a change it is one further take with another seed."""
    request = RetakeRequest(
        note=note, by=by or getpass.getuser(), prompt=prompt, negative=negative, camera=camera,
        action=action, seed=seed, variation=_pairs("variation", variation),
        expression=_pairs("expression", expression),
    )  # fmt: skip
    house = open_house()
    with session_scope(house.settings) as session:
        asked = ask_retake(session, house.settings, cut, request)
    if render:
        outcomes = produce_cuts(house, [cut])
        failed = next((outcome.error for outcome in outcomes if outcome.error), None)
        if failed:
            raise UserError(
                f"Retake {asked.id} was asked for, and not rendered: {failed}", "anime-pipeline render"
            )
        with session_scope(house.settings) as session:
            asked = next(one for one in list_retakes(session, cut) if one.id == asked.id)
    _print_one(asked, as_json)


@app.command("list")
def list_(scope: Scope = None, as_json: JsonOption = False) -> None:
    """List the retakes of cuts: who asked or what failed, what was changed, which take answered and how."""
    house = open_house()
    with session_scope(house.settings) as session:
        retakes = list_retakes(session, scope)
    if as_json:
        print_json([asdict(one) for one in retakes])
        return
    rows = [
        (one.id, one.cut_key, one.asked_by or f"{one.cause}: {one.strategy}", _asked(one),
         one.answered_by_take, _answered(one))
        for one in retakes
    ]  # fmt: skip
    print_table("Retakes", ("id", "cut", "by", "asked", "take", "came of it"), rows)


@app.command()
def withdraw(
    retake: Annotated[int, typer.Argument(help="Its id, as retake list says.")], as_json: JsonOption = False
) -> None:
    """Withdraw a retake: its changes hold no more, and its take is not rendered if it still waits."""
    house = open_house()
    with session_scope(house.settings) as session:
        ended = withdraw_retake(session, retake)
    _print_one(ended, as_json)


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given or ():
        character, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--{option} {text} names no character.", f'Write --{option} "Mika=…".')
        pairs[character.strip()] = value.strip()
    return pairs


def _print_one(one: RetakeInfo, as_json: bool) -> None:
    if as_json:
        print_json(asdict(one))
        return
    facts: dict[str, Any] = {
        "retake": one.id, "cut": one.cut_key, "asked": _asked(one), "by": one.asked_by,
        "take": one.answered_by_take, "came of it": _answered(one),
    }  # fmt: skip
    print_facts({name: value for name, value in facts.items() if value not in (None, "")})
    if one.changes and one.withdrawn_at is None:
        out.print(f"Its changes hold until anime-pipeline retake withdraw {one.id}.", soft_wrap=True)


def _asked(one: RetakeInfo) -> str:
    changes = [f"{field} {_value(value)}" for field, value in one.changes.items()]
    note = f"“{one.note}”" if one.note else one.reason
    return "; ".join([*changes, *([note] if note else [])]) or "another take"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={told}" for name, told in value.items())
    return str(value)


def _answered(one: RetakeInfo) -> str:
    if one.withdrawn_at is not None:
        return "withdrawn"
    if one.answer_status == "completed":
        return one.answer_verdict or "not judged"
    return one.answer_status or "its take is gone"
