"""The code location that Dagster loads: every definition of the house, and the studio as its resource."""

from __future__ import annotations

import dagster as dg

from anime_pipeline.defs.delivery import assets as delivery_assets
from anime_pipeline.defs.delivery import sensors as delivery_sensors
from anime_pipeline.defs.echo_brain import callbacks as echo_callbacks
from anime_pipeline.defs.echo_brain import sensors as echo_sensors
from anime_pipeline.defs.jobs import ALL_JOBS
from anime_pipeline.defs.maintenance import backups, migration
from anime_pipeline.defs.quality import assets as quality_assets
from anime_pipeline.defs.quality import batches as quality_batches
from anime_pipeline.defs.quality import checks as quality_checks
from anime_pipeline.defs.quality import phase_checks
from anime_pipeline.defs.quality import requests as quality_requests
from anime_pipeline.defs.quality import sensors as quality_sensors
from anime_pipeline.defs.rendering import assets as rendering_assets
from anime_pipeline.defs.rendering import batches as rendering_batches
from anime_pipeline.defs.rendering import reproduction
from anime_pipeline.defs.rendering import sensors as rendering_sensors
from anime_pipeline.defs.review import assets as review_assets
from anime_pipeline.defs.story import assets as story_assets
from anime_pipeline.defs.story import sensors as story_sensors
from anime_pipeline.defs.studio import Studio
from anime_pipeline.settings import get_settings

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [story_assets, rendering_assets, quality_assets, delivery_assets, review_assets]
    ),
    asset_checks=dg.load_asset_checks_from_modules([quality_checks, phase_checks]),
    jobs=[
        *ALL_JOBS,
        rendering_batches.render_batch,
        quality_batches.measure_batch,
        review_assets.write_daily_report,
        reproduction.reproduce_takes,
        quality_requests.answer_requests,
        migration.migrate_database,
        backups.back_up_database,
        backups.restore_test_database,
    ],
    sensors=[
        story_sensors.story_sync,
        rendering_sensors.render_backlog,
        rendering_sensors.expire_leases,
        quality_sensors.measure_rendered,
        quality_requests.requests_to_answer,
        echo_callbacks.job_callbacks,
        delivery_sensors.assemble_scenes_ready,
        delivery_sensors.assemble_episodes_ready,
        echo_sensors.echo_heartbeat,
        echo_sensors.echo_outbox,
    ],
    schedules=[
        backups.nightly_backup,
        backups.weekly_restore_test,
        review_assets.daily_report_schedule,
    ],
    resources={"studio": Studio(get_settings())},
    executor=dg.in_process_executor,
)
