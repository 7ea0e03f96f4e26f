"""Dagster definitions: what the rooms below do, as assets, checks, sensors and jobs."""
