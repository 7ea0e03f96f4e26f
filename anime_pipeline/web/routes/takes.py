"""Takes of cuts: list, choose and release by a person, retakes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, CutProfile, Job, Retake, Take
from anime_pipeline.review.choices import choices_of, choose_take, holding_choice, release_choice
from anime_pipeline.review.directions import RetakeError, RetakeRequest
from anime_pipeline.review.retakes import ask_retake, retakes_of_cut, withdraw_retake
from anime_pipeline.review.selection import select_best
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.job_views import JobView, no_job, show_jobs
from anime_pipeline.web.problems import ProblemError, not_found, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.rows import found
from anime_pipeline.web.schemas import Body, Model, PathId, Storable, Utc
from anime_pipeline.web.state import Db

router = api_router("takes")

Words = Annotated[str, Field(min_length=1, max_length=2000), Storable]
Word = Annotated[str, Field(min_length=1, max_length=100), Storable]
PerCharacter = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=255), Storable], Word], Field(max_length=50)
]


class ChoiceView(Model):
    """Who chose a take."""

    chosen_by: str
    note: str | None
    chosen_at: Utc


class TakeOfCut(Model):
    """A take with the choice that holds it, if a person made one."""

    take: JobView
    choice: ChoiceView | None


class TakesOfCut(Model):
    """All takes of a cut, oldest first."""

    cut_id: int
    cut_key: str
    items: list[TakeOfCut]


class _Standing(Model):
    """Which take stands for a cut, for the audit log."""

    cut_key: str
    selected_job_id: int | None
    chosen_job_id: int | None
    choice: ChoiceView | None


class ChooseRequest(Body):
    """Why this take, if there is something to say."""

    note: Words | None = None


class RetakeBody(Body):
    """What a person wants of a cut. Without any change it is one further take, with another seed.

    `prompt` and `negative` are added to what the story says, `camera` and `action` stand in its place;
    `variation` and `expression` map a character of the cut to an outfit and a feeling. Changes hold until the
    retake is withdrawn.
    """

    note: Annotated[str, Field(max_length=2000), Storable] = ""
    prompt: Words | None = None
    negative: Words | None = None
    camera: Word | None = Field(None, examples=["close-up"])
    action: Words | None = None
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] | None = None
    variation: PerCharacter = Field({}, examples=[{"Mika": "raincoat"}])
    expression: PerCharacter = Field({})


class RetakeView(Model):
    """A retake with the take that it is about and the one that answers it."""

    id: int
    cut_key: str
    automatic: bool
    asked_by: str | None
    note: str
    changes: dict[str, Any]
    cause: str | None
    strategy: str | None
    reason: str
    retaken_job_id: int | None
    retaken_take: int | None
    answered_by_job_id: int | None
    answered_by_take: int | None
    answer_status: str | None
    answer_verdict: str | None
    created_at: Utc
    withdrawn_at: Utc | None


class Retakes(Model):
    """The retakes of a cut, oldest first."""

    items: list[RetakeView]


@router.get("/cuts/{cut_id}/takes", responses=problems(404))
@requires("viewer")
def read_takes(cut_id: PathId, db: Db) -> TakesOfCut:
    """Every take of a cut, finished or not, reproductions among them."""
    return _takes(db, cut_id)


@router.post("/jobs/{job_id}/choose", responses=problems(404))
@requires("artist")
def choose(job_id: PathId, asked: ChooseRequest, change: ChangeOf) -> TakesOfCut:
    """Make a finished take the one that stands for its cut, passed or not, until it is released."""
    take = change.session.get(Take, job_id)
    if take is None:
        raise no_job(job_id)
    before = _standing(_takes(change.session, take.cut_id))
    cut_key = choose_take(change.session, job_id, change.actor.name, asked.note)
    _select(change, cut_key)
    shown = _takes(change.session, take.cut_id)
    change.done("choose", "take", job_id, _standing(shown), before)
    return shown


@router.post("/cuts/{cut_id}/release", responses=problems(404))
@requires("artist")
def release(cut_id: PathId, change: ChangeOf) -> TakesOfCut:
    """Give a cut's choice back to the score; the best take is selected again."""
    cut_key = _key(change.session, cut_id)
    before = _standing(_takes(change.session, cut_id))
    if not release_choice(change.session, cut_key, change.actor.name):
        raise ProblemError(409, f"Nobody has chosen a take of {cut_key}.", "There is nothing to release.")
    _select(change, cut_key)
    shown = _takes(change.session, cut_id)
    change.done("release", "cut", cut_id, _standing(shown), before)
    return shown


@router.get("/cuts/{cut_id}/retakes", responses=problems(404))
@requires("viewer")
def read_retakes(cut_id: PathId, db: Db) -> Retakes:
    """The retakes of a cut, those that it got by itself among them."""
    return Retakes(items=[RetakeView.model_validate(one) for one in retakes_of_cut(db, _key(db, cut_id))])


@router.post("/cuts/{cut_id}/retakes", status_code=202, responses=problems(404))
@requires("artist")
def retake(cut_id: PathId, asked: RetakeBody, change: ChangeOf) -> RetakeView:
    """Ask for a cut to be taken again; `answered_by_job_id` is the job to follow."""
    request = RetakeRequest(by=change.actor.name, **asked.model_dump())
    try:
        made = ask_retake(change.session, change.settings, _key(change.session, cut_id), request)
    except RetakeError as error:
        raise _at_field(error) from error
    return change.made("retake", made.id, RetakeView.model_validate(made))


@router.post("/retakes/{retake_id}/withdraw", responses=problems(404))
@requires("artist")
def withdraw(retake_id: PathId, change: ChangeOf) -> RetakeView:
    """End a retake: what it changes holds no more, and its take is not rendered if it still waits."""
    asked = change.session.get(Retake, retake_id)
    if asked is None:
        raise not_found("retake", retake_id)
    listed = retakes_of_cut(change.session, _key(change.session, asked.cut_id))
    before = next((RetakeView.model_validate(one) for one in listed if one.id == retake_id), None)
    shown = RetakeView.model_validate(withdraw_retake(change.session, retake_id))
    change.done("withdraw", "retake", retake_id, shown, before)
    return shown


def _select(change: ChangeOf, cut_key: str) -> None:
    profile = change.session.scalars(select(CutProfile).where(CutProfile.cut_key == cut_key)).one()
    if profile.omitted_at is None:
        select_best(change.session, change.settings, [cut_key])


def _at_field(error: RetakeError) -> ProblemError:
    if error.field in RetakeBody.model_fields:
        return unprocessable(f"/{error.field}", str(error), error.remedy)
    return ProblemError(409, str(error), error.remedy)


def _key(session: Session, cut_id: int) -> str:
    found(session, Cut, cut_id, "cut")
    profile = session.get(CutProfile, cut_id)
    if profile is None:
        raise ProblemError(
            409, f"Cut {cut_id} came from an earlier system and has no kind.", "Import its project."
        )
    return profile.cut_key


def _standing(takes: TakesOfCut) -> _Standing:
    chosen = next((one for one in takes.items if one.choice), None)
    return _Standing(
        cut_key=takes.cut_key,
        selected_job_id=next((one.take.job_id for one in takes.items if one.take.selected), None),
        chosen_job_id=chosen.take.job_id if chosen else None,
        choice=chosen.choice if chosen else None,
    )


def _takes(session: Session, cut_id: int) -> TakesOfCut:
    cut_key = _key(session, cut_id)
    jobs = session.scalars(
        select(Job).join(Take, Take.job_id == Job.id).where(Take.cut_id == cut_id).order_by(Take.take_number),
        execution_options={"populate_existing": True},
    ).all()
    choices = choices_of(session, [job.id for job in jobs])
    items = []
    for job, shown in zip(jobs, show_jobs(session, jobs), strict=True):
        held = holding_choice(choices.get(job.id, ()))
        items.append(TakeOfCut(take=shown, choice=ChoiceView.model_validate(held) if held else None))
    return TakesOfCut(cut_id=cut_id, cut_key=cut_key, items=items)
