"""Keeps this worker known to its supervisor, and delivers what the supervisor has to be told."""

import dagster as dg

from anime_pipeline.defs.described import sensor
from anime_pipeline.defs.mistakes import said
from anime_pipeline.defs.sensor_status import sensor_status
from anime_pipeline.defs.studio import Studio
from anime_pipeline.echo_brain.delivery import deliver
from anime_pipeline.echo_brain.heartbeat import beat
from anime_pipeline.errors import UserError
from anime_pipeline.settings import get_settings

# Off, and so silent, where there is no supervisor to speak to.
STATUS = sensor_status("on" if get_settings().echo_brain_url else "off")
DELIVERY_SECONDS = 20.0
"""Of one tick, so that the next is not held up."""


@sensor(minimum_interval_seconds=30, default_status=STATUS)
def echo_heartbeat(context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]) -> dg.SkipReason:
    """Tells the supervisor how this worker is; registers it first where the supervisor does not know it."""
    try:
        return dg.SkipReason(beat(studio.settings).said)
    except UserError as error:
        return dg.SkipReason(said(error))


@sensor(minimum_interval_seconds=30, default_status=STATUS)
def echo_outbox(context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]) -> dg.SkipReason:
    """Delivers events of jobs and gates to the supervisor, in the order of each job."""
    try:
        done = deliver(studio.settings, DELIVERY_SECONDS)
    except UserError as error:
        return dg.SkipReason(said(error))
    if done.ended in ("off", "left", "elsewhere"):
        return dg.SkipReason(done.said)
    counted = f"{done.delivered} delivered, {done.failed} failed, {done.died} dead, {done.left} left"
    return dg.SkipReason(f"{counted}. {done.said}".strip())
