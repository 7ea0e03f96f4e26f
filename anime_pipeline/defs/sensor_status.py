"""Whether a new installation's sensors run: the switch in Dagster's UI decides from then on."""

from __future__ import annotations

import dagster as dg

from anime_pipeline.settings import Switch, get_settings


def sensor_status(switch: Switch) -> dg.DefaultSensorStatus:
    """On where both ``ANIME_SENSORS`` and the sensor's own switch are."""
    on = get_settings().sensors == "on" and switch == "on"
    return dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED


DEFAULT_STATUS = sensor_status("on")
