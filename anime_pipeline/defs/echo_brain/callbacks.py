"""Posts the ends of jobs to the URLs that were asked for with them."""

import dagster as dg

from anime_pipeline.defs.described import sensor
from anime_pipeline.defs.sensor_status import sensor_status
from anime_pipeline.defs.studio import Studio
from anime_pipeline.defs.watching import now
from anime_pipeline.echo_brain.callbacks import deliver_callbacks
from anime_pipeline.settings import get_settings

# Off, and so silent, where no host is allowed.
STATUS = sensor_status("on" if get_settings().callback_host_names else "off")


@sensor(minimum_interval_seconds=30, default_status=STATUS)
def job_callbacks(context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]) -> dg.SkipReason:
    """Posts the end of each job whose client asked for it, to allowed hosts only, until it is taken."""
    done = deliver_callbacks(studio.settings, now())
    return dg.SkipReason(f"{done.delivered} delivered, {done.failed} failed, {done.died} given up.")
