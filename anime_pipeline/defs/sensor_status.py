"""Whether a new installation's sensors run: on unless ``ANIME_SENSORS=off``."""

from __future__ import annotations

import dagster as dg

from anime_pipeline.settings import get_settings

DEFAULT_STATUS = (
    dg.DefaultSensorStatus.RUNNING if get_settings().sensors == "on" else dg.DefaultSensorStatus.STOPPED
)
