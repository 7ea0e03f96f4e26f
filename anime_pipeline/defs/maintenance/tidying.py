"""The nightly tidying: what nobody needs any more goes; what is kept how long, OPERATIONS.md says."""

from datetime import datetime, timezone

import dagster as dg

from anime_pipeline.database.job_events import forget_old_events
from anime_pipeline.defs.studio import Studio
from anime_pipeline.echo_brain import inbox, outbox
from anime_pipeline.old_logs import remove_old_logs
from anime_pipeline.review.pruning import remove_leftovers


@dg.op
def tidy_up(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """Forget delivered events, followed messages and old logs; remove what killed processes left."""
    now = datetime.now(timezone.utc)
    with studio.session() as session:
        messages = inbox.prune(session, studio.settings, now)
        events = outbox.prune(session, now)
        changes = forget_old_events(session.connection())
    context.add_output_metadata(
        {
            "messages of the supervisor": messages,
            "delivered events": events,
            "events of jobs": changes,
            "leftovers of killed processes": remove_leftovers(studio.settings),
            "logs": remove_old_logs(studio.settings.home, studio.settings.dagster_home),
        }
    )
