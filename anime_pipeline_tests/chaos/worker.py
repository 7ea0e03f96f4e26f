"""``python -m anime_pipeline_tests.chaos.worker SETTINGS``: drain until told to stop, or die trying."""

from __future__ import annotations

import sys
import time

from anime_pipeline.rendering.worker import drain
from anime_pipeline.settings import Settings

STOP = "stop-workers"
"""A file of this name in the home lets the workers go home."""


def main() -> None:
    """Work; whoever started this process starts it again when it dies."""
    settings = Settings.model_validate_json(sys.argv[1])
    while not (settings.home / STOP).exists():
        drain(settings)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
