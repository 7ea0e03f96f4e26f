"""``anime-pipeline takes``: which take stands for a cut and why, a person's choice, losers' media."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, out, print_facts, print_json, print_table
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.cli.scopes import Scope, cuts_of
from anime_pipeline.database.session import session_scope
from anime_pipeline.media.errors import MissingMediaError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.review.forecast import counted
from anime_pipeline.review.listing import ReviewedTake, reason_of, review_take, review_takes
from anime_pipeline.review.pruning import leftovers, prune, waiting_to_be_removed
from anime_pipeline.review.retention import Policy, RetentionPlan, retention_plan
from anime_pipeline.review.selection import choose_take, release_choice, select_best

app = typer.Typer(no_args_is_help=True)
Cut = Annotated[str, typer.Argument(help="A cut key.")]
Job = Annotated[int, typer.Argument(help="The job id of a take: takes list CUT shows it.")]
By = Annotated[str | None, typer.Option(help="Who does it; without it, your account's name.")]


@app.command("list")
def list_(cut: Cut, as_json: JsonOption = False) -> None:
    """List a cut's takes: their scores, which one stands and why, how each was judged."""
    house = open_house()
    keys = cuts_of(house, cut)
    with session_scope(house.settings) as session:
        listed = review_takes(session, house.settings, keys)
    if as_json:
        print_json([_as_json(house, one) for one in listed])
        return
    columns = ("take", "job", "stands as", "status", "verdict", "score", "renderer", "attempts")
    for key in keys:
        takes = [one for one in listed if one.take.cut_key == key]
        print_table(f"Takes of {key}", columns, [_row(one) for one in takes])
        if takes:
            out.print(reason_of(takes), soft_wrap=True)
        for take in (one.take for one in takes if one.take.error_message):
            out.print(f"take {take.take_number}, {take.status}: {take.error_message}", soft_wrap=True)
    if any(one.score and one.score.outdated for one in listed):
        out.print(f"Weights or thresholds have changed since: anime-pipeline takes score {cut}")


@app.command()
def show(job: Job, as_json: JsonOption = False) -> None:
    """Show all of a take: what its score is made of, who chose it when and why, where its files are."""
    house = open_house()
    with session_scope(house.settings) as session:
        one = review_take(session, house.settings, job)
    if as_json:
        print_json(_as_json(house, one))
        return
    take = one.take
    facts = {
        "cut": take.cut_key,
        "take": f"{take.take_number} (job {take.job_id})",
        "status": f"{take.status}: {take.error_message}" if take.error_message else take.status,
        "stands as": one.standing or "not selected",
        "story": "as it is now" if one.is_current else "an earlier one",
        "verdict": take.verdict or "not judged",
        "recipe": take.recipe_hash,
        "media": _media(house, one) or "–",
    }
    print_facts({**facts, "pruned at": take.pruned_at} if take.pruned_at else facts)
    if one.score is not None:
        rows = [
            (term.metric, term.weight, term.value, term.threshold, term.quality, term.left_out)
            for term in one.score.terms
        ]
        total = "none" if one.score.score is None else f"{one.score.score:.6f}"
        columns = ("metric", "weight", "value", "threshold", "quality", "left out because")
        print_table(f"Score {total}", columns, rows)
    if one.choices:
        choices = [(c.chosen_at, c.chosen_by, c.note, c.released_at, c.released_by) for c in one.choices]
        print_table("Chosen", ("when", "by", "note", "released", "released by"), choices)


@app.command()
def select(
    job: Job,
    by: By = None,
    note: Annotated[str | None, typer.Option(help="Why, in your words.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Choose a take: it stands for its cut, whatever scores, further takes and edits say, until released."""
    house = open_house()
    with session_scope(house.settings) as session:
        key = choose_take(session, job, by or getpass.getuser(), note)
        selected = select_best(session, house.settings, [key])
    _print_standing(house, selected, as_json)


@app.command()
def release(cut: Cut, by: By = None, as_json: JsonOption = False) -> None:
    """Give a person's choice back: the take with the best score stands for the cut again."""
    house = open_house()
    with session_scope(house.settings) as session:
        released = release_choice(session, cut, by or getpass.getuser())
        selected = select_best(session, house.settings, [cut])
    if not released and not as_json:
        out.print(f"No person's choice holds for {cut}.")
    _print_standing(house, selected, as_json)


@app.command()
def score(scope: Scope = None, as_json: JsonOption = False) -> None:
    """Score and select anew by today's weights and thresholds; nothing is measured or rendered again."""
    house = open_house()
    with session_scope(house.settings) as session:
        selected = select_best(session, house.settings, cuts_of(house, scope))
    _print_standing(house, selected, as_json)


@app.command("prune")
def prune_(
    scope: Scope = None,
    keep: Annotated[int | None, typer.Option(min=1, help="Keep so many newest takes of each cut.")] = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Keep takes that are younger than so many days.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without it, only what would be.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Free the media of losing takes. Their recipes, scores and thumbnails stay: reproduce brings them back.

    Without --keep and --older-than, each project's `retention` decides; without that, nothing is pruned.
    """
    house = open_house()
    asked = Policy(keep, older_than) if keep is not None or older_than is not None else None
    if apply:
        report = prune(house.settings, scope, asked)
        done = {name: value for name, value in vars(report).items() if name != "plan"}
        _print_plan(report.plan, {"applied": True, **done}, as_json)
        return
    with session_scope(house.settings) as session:
        plan = retention_plan(session, scope, asked)
        unfinished = len(waiting_to_be_removed(session))
    _print_plan(
        plan,
        {"applied": False, "unfinished": unfinished, "leftovers": len(leftovers(house.settings))},
        as_json,
    )


def _print_plan(plan: RetentionPlan, done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        summary = {"files": plan.files, "bytes": plan.bytes, "pruned_before": plan.pruned_before}
        print_json({"takes": [asdict(take) for take in plan.takes], "plan": summary, **done})
        return
    losing = [(t.cut_key, t.take_number, t.job_id, t.finished_at, t.bytes) for t in plan.to_prune]
    if losing:
        print_table("Takes without further use", ("cut", "take", "job", "finished", "bytes"), losing)
    if plan.reasons:
        print_table("Kept", ("takes", "because"), [(count, why) for why, count in plan.reasons.items()])
    if done["applied"]:
        out.print(
            f"{counted(done['takes'], 'take')} pruned, {counted(done['files'], 'file')} removed, "
            f"{done['bytes']:,} bytes freed."
        )
        if done["waiting"]:
            out.print(
                f"{done['waiting']} takes have files that were stored within the hour; prune again later."
            )
    else:
        out.print(
            f"--apply would prune {counted(len(losing), 'take')}: {counted(plan.files, 'file')}, "
            f"{plan.bytes:,} bytes. "
            "Nothing was changed."
        )
        if done["unfinished"]:
            out.print(f"It would also finish {done['unfinished']} takes whose pruning was interrupted.")
    if done["leftovers"]:
        word = "removed" if done["applied"] else "would be removed"
        out.print(f"{done['leftovers']} leftovers of killed processes {word}.")


def _print_standing(house: House, selected: dict[str, int | None], as_json: bool) -> None:
    with session_scope(house.settings) as session:
        listed = review_takes(session, house.settings, list(selected))
    by_cut = {key: [one for one in listed if one.take.cut_key == key] for key in selected}
    if as_json:
        print_json(
            [
                {"cut_key": key, "job_id": job_id, "reason": reason_of(by_cut[key])}
                for key, job_id in selected.items()
            ]
        )
        return
    rows = [(key, reason_of(takes)) for key, takes in by_cut.items()]
    print_table("Standing takes", ("cut", "why"), rows)


def _row(one: ReviewedTake) -> tuple[object, ...]:
    take = one.take
    return (
        take.take_number,
        take.job_id,
        one.standing,
        take.status,
        take.verdict,
        one.score.score if one.score else None,
        take.server_kind,
        take.attempts,
    )


def _media(house: House, one: ReviewedTake) -> Path | str | None:
    film = one.take.film
    if film is None:
        return None
    try:
        return MediaStore.of(house.settings).local_path(film.sha256, film.suffix)
    except MissingMediaError:
        return "missing from the media store"


def _as_json(house: House, one: ReviewedTake) -> dict[str, Any]:
    score = one.score
    scored = None if score is None else {**asdict(score), "terms": [term.as_json() for term in score.terms]}
    return {
        **asdict(one.take),
        "media": _media(house, one),
        "standing": one.standing,
        "is_current": one.is_current,
        "score": scored,
        "choices": [asdict(choice) for choice in one.choices],
    }
