"""Writing a production or a shot list: first what would change, then exactly that, in one transaction."""

from __future__ import annotations

from sqlalchemy.orm import Session

from anime_pipeline.cycle_collection import cycle_collection_paused
from anime_pipeline.story.difference import Difference, difference_between
from anime_pipeline.story.lock import lock_story
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.picture_store import PictureStore, store_pictures
from anime_pipeline.story.production import Production
from anime_pipeline.story.shot_list import ShotList
from anime_pipeline.story.shot_list_rows import compared_shots
from anime_pipeline.story.stored import Stored, load_stored
from anime_pipeline.story.wanted import Rows, wanted_rows
from anime_pipeline.story.writing import Writing

__all__ = ["Difference", "apply", "compare", "slug_of"]


def compare(session: Session, story: Production | ShotList) -> Difference:
    """What an import would add, change and omit; reads with a constant number of queries.

    Raises :class:`StoryError` where a name of the production belongs to another project, or where the cuts
    of a shot list cannot be.
    """
    return _compared(session, story)[2]


def apply(
    session: Session, story: Production | ShotList, difference: Difference, store: PictureStore
) -> None:
    """Write what ``difference`` shows; the caller commits, so that all of it is written or nothing.

    A cut that is gone from the file is omitted and keeps its takes; one that is back is active again. Raises
    :class:`StoryError` where the story was changed by someone else since it was compared.
    """
    if difference.is_empty:
        return
    lock_story(session)
    wanted, stored, fresh = _compared(session, story)
    if fresh != difference:
        raise StoryError(
            "The stored story changed while the difference was shown; nothing was written.",
            "Import the file again.",
        )
    source = None
    if isinstance(story, Production):
        source = story.source
        store_pictures(session, story, store)
    Writing(session, slug_of(story), source, wanted, stored, difference).write()
    session.expire_all()


def slug_of(story: Production | ShotList) -> str:
    """The project that the story is of."""
    return story.slug if isinstance(story, ShotList) else story.project.slug


@cycle_collection_paused()
def _compared(session: Session, story: Production | ShotList) -> tuple[Rows, Stored, Difference]:
    if isinstance(story, ShotList):
        return compared_shots(session, story)
    wanted = wanted_rows(story)
    slug, name = story.project.slug, story.project.name
    names = [character.name for character in story.characters]
    stored = load_stored(session, slug, name, names, wanted)
    return wanted, stored, difference_between(slug, wanted, stored.rows)
