"""Episodes, scenes and cuts: list, create, read, change, order, omit, restore."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, Episode, MediaFile, Project, ProjectProfile, Scene
from anime_pipeline.story import renumbering, structure
from anime_pipeline.story.lock import lock_story
from anime_pipeline.story.structure import StructureError
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import Change, ChangeOf
from anime_pipeline.web.pagination import Listing, PageOf, listed
from anime_pipeline.web.problems import problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.rows import found
from anime_pipeline.web.schemas import PathId
from anime_pipeline.web.shapes.projects import ProjectShown
from anime_pipeline.web.shapes.structure import (
    CutCreate,
    CutOrder,
    CutUpdate,
    EpisodeCreate,
    EpisodeOrder,
    EpisodeUpdate,
    SceneCreate,
    SceneOrder,
    SceneUpdate,
)
from anime_pipeline.web.state import Db
from anime_pipeline.web.structure_views import (
    CutView,
    EpisodeView,
    SceneView,
    show_cut,
    show_cuts,
    show_episodes,
    show_scenes,
)

router = api_router("story")
Omitted = Annotated[bool, Query(description="Omitted cuts too.")]
_PICTURES = ("first_frame", "last_frame", "background_image")


@router.get("/projects/{project_id}/episodes", responses=problems(404))
@requires("viewer")
def list_episodes(project_id: PathId, db: Db, page: PageOf) -> Listing[EpisodeView]:
    """A project's episodes, that of unscripted shots among them (status `unscripted`)."""
    found(db, Project, project_id, "project")
    query = select(Episode).where(Episode.project_id == project_id)
    return listed(db, query, Episode, page, lambda rows: show_episodes(db, rows))


@router.post("/projects/{project_id}/episodes", status_code=201, responses=problems(404))
@requires("artist")
def create_episode(project_id: PathId, body: EpisodeCreate, change: ChangeOf) -> EpisodeView:
    """Make an episode."""
    lock_story(change.session)
    found(change.session, Project, project_id, "project")
    episode = _edited(lambda: structure.add_episode(change.session, project_id, _sent(change.session, body)))
    return change.made("episode", episode.id, _episode(change.session, episode))


@router.put("/projects/{project_id}/episodes/order", responses=problems(404, 412, 428))
@requires("artist")
def order_episodes(project_id: PathId, body: EpisodeOrder, change: ChangeOf) -> Listing[EpisodeView]:
    """Put a project's episodes into another order; everything in them gets other keys and keeps its takes.

    If-Match is the ETag of the project.
    """
    lock_story(change.session)
    project = found(change.session, Project, project_id, "project", lock=True)
    change.check(ProjectShown.of(project, change.session.get(ProjectProfile, project_id)))
    before = _order(change.session, Episode.id, Episode.project_id == project_id, Episode.episode_number)
    _edited(lambda: renumbering.reorder_episodes(change.session, project_id, body.episode_ids))
    project.updated_at = func.now()  # so that its ETag tells of the other order
    shown = show_episodes(change.session, [change.session.get_one(Episode, one) for one in body.episode_ids])
    change.done("reorder", "project", project_id, body, EpisodeOrder(episode_ids=before))
    return Listing[EpisodeView](items=shown, total=len(shown))


@router.get("/episodes/{episode_id}", responses=problems(404))
@requires("viewer")
def read_episode(episode_id: PathId, db: Db) -> EpisodeView:
    """An episode."""
    return _episode(db, found(db, Episode, episode_id, "episode"))


@router.patch("/episodes/{episode_id}", responses=problems(404, 412, 428))
@requires("artist")
def update_episode(episode_id: PathId, body: EpisodeUpdate, change: ChangeOf) -> EpisodeView:
    """Change an episode's title, synopsis or target length."""
    lock_story(change.session)
    episode = found(change.session, Episode, episode_id, "episode", lock=True)
    before = _episode(change.session, episode)
    change.check(before)
    _edited(lambda: structure.change_episode(change.session, episode, _sent(change.session, body)))
    return change.changed("episode", episode_id, before, _episode(change.session, episode))


@router.post("/episodes/{episode_id}/omit", responses=problems(404))
@requires("artist")
def omit_episode(episode_id: PathId, change: ChangeOf) -> EpisodeView:
    """Omit all cuts of an episode; they keep their takes."""
    return _all_of_episode(episode_id, change, "omit", structure.omit)


@router.post("/episodes/{episode_id}/restore", responses=problems(404))
@requires("artist")
def restore_episode(episode_id: PathId, change: ChangeOf) -> EpisodeView:
    """Put all cuts of an episode back."""
    return _all_of_episode(episode_id, change, "restore", structure.restore)


@router.get("/episodes/{episode_id}/scenes", responses=problems(404))
@requires("viewer")
def list_scenes(episode_id: PathId, db: Db, page: PageOf, omitted: Omitted = False) -> Listing[SceneView]:
    """An episode's scenes with cuts, cast, selected takes, verdicts and durations.

    Scenes come by id; `number` is their place in the story.
    """
    found(db, Episode, episode_id, "episode")
    query = select(Scene).where(Scene.episode_id == episode_id)
    return listed(db, query, Scene, page, lambda rows: show_scenes(db, rows, omitted))


@router.post("/episodes/{episode_id}/scenes", status_code=201, responses=problems(404))
@requires("artist")
def create_scene(episode_id: PathId, body: SceneCreate, change: ChangeOf) -> SceneView:
    """Make a scene with its cast."""
    lock_story(change.session)
    episode = found(change.session, Episode, episode_id, "episode")
    scene = _edited(lambda: structure.add_scene(change.session, episode, _sent(change.session, body)))
    return change.made("scene", scene.id, _scene(change.session, scene))


@router.put("/episodes/{episode_id}/scenes/order", responses=problems(404, 412, 428))
@requires("artist")
def order_scenes(episode_id: PathId, body: SceneOrder, change: ChangeOf) -> Listing[SceneView]:
    """Put an episode's scenes into another order; their cuts get other keys and keep their takes.

    If-Match is the ETag of the episode.
    """
    lock_story(change.session)
    episode = found(change.session, Episode, episode_id, "episode")
    before = _episode(change.session, episode)
    change.check(before)
    _edited(lambda: renumbering.reorder_scenes(change.session, episode, body.scene_ids))
    scenes = [change.session.get_one(Scene, scene_id) for scene_id in body.scene_ids]
    change.done("reorder", "episode", episode_id, body, SceneOrder(scene_ids=before.scene_ids))
    return Listing[SceneView](items=show_scenes(change.session, scenes), total=len(scenes))


@router.get("/scenes/{scene_id}", responses=problems(404))
@requires("viewer")
def read_scene(scene_id: PathId, db: Db, omitted: Omitted = False) -> SceneView:
    """A scene with its cuts."""
    return show_scenes(db, [found(db, Scene, scene_id, "scene")], omitted)[0]


@router.patch("/scenes/{scene_id}", responses=problems(404, 412, 428))
@requires("artist")
def update_scene(scene_id: PathId, body: SceneUpdate, change: ChangeOf) -> SceneView:
    """Change a scene; its cuts must still be possible with the cast."""
    lock_story(change.session)
    scene = found(change.session, Scene, scene_id, "scene", lock=True)
    before = _scene(change.session, scene)
    change.check(before)
    _edited(lambda: structure.change_scene(change.session, scene, _sent(change.session, body)))
    return change.changed("scene", scene_id, before, _scene(change.session, scene))


@router.post("/scenes/{scene_id}/omit", responses=problems(404))
@requires("artist")
def omit_scene(scene_id: PathId, change: ChangeOf) -> SceneView:
    """Omit all cuts of a scene; they keep their takes."""
    return _all_of_scene(scene_id, change, "omit", structure.omit)


@router.post("/scenes/{scene_id}/restore", responses=problems(404))
@requires("artist")
def restore_scene(scene_id: PathId, change: ChangeOf) -> SceneView:
    """Put all cuts of a scene back."""
    return _all_of_scene(scene_id, change, "restore", structure.restore)


@router.post("/scenes/{scene_id}/cuts", status_code=201, responses=problems(404))
@requires("artist")
def create_cut(scene_id: PathId, body: CutCreate, change: ChangeOf) -> CutView:
    """Make a cut. Dagster's partitions follow by the sensor `story_sync`."""
    lock_story(change.session)
    scene = found(change.session, Scene, scene_id, "scene")
    cut = _edited(lambda: structure.add_cut(change.session, scene, _sent(change.session, body)))
    return change.made("cut", cut.id, show_cut(change.session, cut.id))


@router.put("/scenes/{scene_id}/cuts/order", responses=problems(404, 412, 428))
@requires("artist")
def order_cuts(scene_id: PathId, body: CutOrder, change: ChangeOf) -> Listing[CutView]:
    """Put a scene's cuts into another order: their numbers are dealt out anew, and takes go with them.

    If-Match is the ETag of the scene.
    """
    lock_story(change.session)
    scene = found(change.session, Scene, scene_id, "scene")
    before = _scene(change.session, scene)
    change.check(before)
    _edited(lambda: renumbering.reorder_cuts(change.session, scene, body.cut_ids))
    shown = show_cuts(change.session, body.cut_ids)
    change.done("reorder", "scene", scene_id, body, CutOrder(cut_ids=[cut.id for cut in before.cuts]))
    return Listing[CutView](items=shown, total=len(shown))


@router.get("/cuts/{cut_id}", responses=problems(404))
@requires("viewer")
def read_cut(cut_id: PathId, db: Db) -> CutView:
    """A cut with the take that stands for it."""
    return show_cut(db, found(db, Cut, cut_id, "cut").id)


@router.patch("/cuts/{cut_id}", responses=problems(404, 412, 428))
@requires("artist")
def update_cut(cut_id: PathId, body: CutUpdate, change: ChangeOf) -> CutView:
    """Change a cut; takes whose pixels the change decides become stale."""
    lock_story(change.session)
    cut = found(change.session, Cut, cut_id, "cut", lock=True)
    before = show_cut(change.session, cut_id)
    change.check(before)
    _edited(lambda: structure.change_cut(change.session, cut, _sent(change.session, body)))
    return change.changed("cut", cut_id, before, show_cut(change.session, cut_id))


@router.post("/cuts/{cut_id}/omit", responses=problems(404))
@requires("artist")
def omit_cut(cut_id: PathId, change: ChangeOf) -> CutView:
    """Take a cut out of the story; it keeps its takes."""
    return _one_cut(cut_id, change, "omit", structure.omit)


@router.post("/cuts/{cut_id}/restore", responses=problems(404))
@requires("artist")
def restore_cut(cut_id: PathId, change: ChangeOf) -> CutView:
    """Put an omitted cut back."""
    return _one_cut(cut_id, change, "restore", structure.restore)


def _all_of_episode(episode_id: int, change: Change, action: str, do: Callable[..., None]) -> EpisodeView:
    lock_story(change.session)
    episode = found(change.session, Episode, episode_id, "episode")
    before = _episode(change.session, episode)
    do(change.session, structure.scripted_cuts(change.session, episode_id=episode_id))
    shown = _episode(change.session, episode)
    change.done(action, "episode", episode_id, shown, before)
    return shown


def _all_of_scene(scene_id: int, change: Change, action: str, do: Callable[..., None]) -> SceneView:
    lock_story(change.session)
    scene = found(change.session, Scene, scene_id, "scene")
    before = show_scenes(change.session, [scene], omitted=True)[0]
    do(change.session, structure.scripted_cuts(change.session, scene_id=scene_id))
    shown = show_scenes(change.session, [scene], omitted=True)[0]
    change.done(action, "scene", scene_id, shown, before)
    return shown


def _one_cut(cut_id: int, change: Change, action: str, do: Callable[..., None]) -> CutView:
    lock_story(change.session)
    found(change.session, Cut, cut_id, "cut")
    before = show_cut(change.session, cut_id)
    do(change.session, [cut_id])
    shown = show_cut(change.session, cut_id)
    change.done(action, "cut", cut_id, shown, before)
    return shown


def _edited(edit: Callable[[], Any]) -> Any:
    """What an edit gave; a problem, 422, at the field that is at fault."""
    try:
        return edit()
    except StructureError as error:
        raise unprocessable(error.pointer, str(error), error.remedy) from error


def _sent(session: Session, body: Any) -> Mapping[str, Any]:
    """The fields that were sent, pictures as the media store's location."""
    values: dict[str, Any] = body.model_dump(exclude_unset=True)
    for name in _PICTURES:
        if values.get(name) is not None:
            values[name] = _location(session, values[name], name)
    return values


def _location(session: Session, sha256: str, name: str) -> str:
    file = session.get(MediaFile, sha256)
    if file is None or file.kind != "image":
        detail = "The media store has no picture of this sha256."
        raise unprocessable(f"/{name}", detail, "POST /api/anime/uploads stores one.")
    return file.location


def _order(session: Session, which: Any, of_parent: Any, number: Any) -> list[int]:
    return list(session.scalars(select(which).where(of_parent).order_by(number)))


def _episode(session: Session, episode: Episode) -> EpisodeView:
    return show_episodes(session, [episode])[0]


def _scene(session: Session, scene: Scene) -> SceneView:
    return show_scenes(session, [scene])[0]
