"""Sensors whose description in Dagster's UI is their docstring, as Dagster does it for assets and jobs."""

import inspect
from collections.abc import Callable
from typing import Any

import dagster as dg


def sensor(**options: Any) -> Callable[[Callable[..., Any]], dg.SensorDefinition]:
    """``dg.sensor`` with its options, described by the docstring of the function."""

    def described(function: Callable[..., Any]) -> dg.SensorDefinition:
        return dg.sensor(description=inspect.getdoc(function), **options)(function)

    return described
