"""The nightly tidying: what nobody needs any more goes; what is kept how long, OPERATIONS.md says."""

from datetime import datetime, timezone

import dagster as dg

from anime_pipeline.database import migrations
from anime_pipeline.database.job_events import forget_old_events
from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.studio import Studio
from anime_pipeline.echo_brain import inbox, outbox
from anime_pipeline.old_logs import remove_old_logs
from anime_pipeline.review.pruning import remove_leftovers


@dg.op
@in_words()
def tidy_up(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """Forget delivered events, followed messages and old logs; remove what killed processes left."""
    # An earlier system's database has none of these tables until somebody migrates it.
    forgotten = {} if migrations.awaits_adoption(studio.settings) else _forget(studio)
    context.add_output_metadata(
        {
            **forgotten,
            "leftovers of killed processes": remove_leftovers(studio.settings),
            "unused copies of media": studio.store.forget_copies(),
            "logs": remove_old_logs(studio.settings.home, studio.settings.dagster_home),
        }
    )


def _forget(studio: Studio) -> dict[str, int]:
    """Delete rows that are past their time; how many of what."""
    now = datetime.now(timezone.utc)
    with studio.session() as session:
        return {
            "messages of the supervisor": inbox.prune(session, studio.settings, now),
            "delivered events": outbox.prune(session, now),
            "events of jobs": forget_old_events(session.connection()),
        }
