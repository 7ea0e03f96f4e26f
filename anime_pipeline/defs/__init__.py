"""Dagster definitions: what the rooms below do, as assets, checks, sensors and jobs."""

import warnings

from dagster import BetaWarning, PreviewWarning

# Partitioned checks and backfill policies are preview surface, known and held by pinning the Dagster family;
# nobody who runs a command should have to read of it.
warnings.simplefilter("ignore", BetaWarning)
warnings.simplefilter("ignore", PreviewWarning)
