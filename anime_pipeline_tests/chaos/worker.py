"""``python -m anime_pipeline_tests.chaos.worker SETTINGS``: drain until nothing is left, or die trying."""

from __future__ import annotations

import sys
import time

from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.worker import drain
from anime_pipeline.settings import Settings


def main() -> None:
    """Work; whoever started this process starts it again when it dies."""
    settings = Settings.model_validate_json(sys.argv[1])
    while True:
        drain(settings)
        with session_scope(settings) as session:
            left = "SELECT count(*) FROM render_queue WHERE status IN ('queued', 'processing')"
            if not session.scalar(text(left)):
                return
        time.sleep(0.2)


if __name__ == "__main__":
    main()
