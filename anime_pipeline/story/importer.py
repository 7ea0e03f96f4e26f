"""Writing a production: first what would change, then exactly that, in the caller's transaction."""

from __future__ import annotations

from sqlalchemy.orm import Session

from anime_pipeline.cycle_collection import cycle_collection_paused
from anime_pipeline.story.difference import Difference, difference_between
from anime_pipeline.story.lock import lock_story
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.picture_store import PictureStore, store_pictures
from anime_pipeline.story.production import Production
from anime_pipeline.story.stored import Stored, load_stored
from anime_pipeline.story.wanted import Rows, wanted_rows
from anime_pipeline.story.writing import Writing

__all__ = ["Difference", "apply", "compare"]


def compare(session: Session, production: Production) -> Difference:
    """What an import would add, change and omit; reads with a constant number of queries.

    Raises :class:`StoryError` where a name of the production belongs to another project.
    """
    return _compared(session, production)[2]


def apply(session: Session, production: Production, difference: Difference, store: PictureStore) -> None:
    """Write what ``difference`` shows; the caller commits, so that all of it is written or nothing.

    A cut that is gone from the file is omitted and keeps its takes; one that is back is active again. Raises
    :class:`StoryError` where the story was changed by someone else since it was compared.
    """
    if difference.is_empty:
        return
    lock_story(session)
    wanted, stored, fresh = _compared(session, production)
    if fresh != difference:
        raise StoryError(
            "The stored story changed while the difference was shown; nothing was written.",
            "Import the file again.",
        )
    store_pictures(session, production, store)
    Writing(session, production, wanted, stored, difference).write()
    session.expire_all()


@cycle_collection_paused()
def _compared(session: Session, production: Production) -> tuple[Rows, Stored, Difference]:
    wanted = wanted_rows(production)
    slug, name = production.project.slug, production.project.name
    names = [character.name for character in production.characters]
    stored = load_stored(session, slug, name, names, wanted)
    return wanted, stored, difference_between(slug, wanted, stored.rows)
