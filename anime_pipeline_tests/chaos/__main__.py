"""``python -m anime_pipeline_tests.chaos``: the whole campaign, as ``make chaos`` runs it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from anime_pipeline_tests.chaos.campaign import run_campaign


def main() -> int:
    """Run a campaign and print its report; 1 where a promise is broken or renders were wasted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=500)
    parser.add_argument("--disasters", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="anime-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        report = run_campaign(Path(folder), asked.renders, asked.disasters, asked.seed)
        log = Path(folder) / "worker.log"
        if report.problems:
            print(log.read_text(errors="replace")[-4000:], file=sys.stderr)
    print(json.dumps({**asdict(report), "excess": round(report.excess, 4)}, indent=2))
    return 1 if report.problems or report.excess >= 0.10 else 0


if __name__ == "__main__":
    sys.exit(main())
