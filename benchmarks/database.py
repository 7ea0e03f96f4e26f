"""Backup and migration against plain pg_dump, pg_restore and psql on the same data, in one run, in turn.

    python benchmarks/database.py [--quick] [--json] [--rows N]

A v1 database with a million rows in its biggest table (--quick: 150,000) on an embedded server of its own.
The plain side does by hand what a careful operator would: it dumps, restores the dump once to see that it can
be restored, restores it again to try the SQL files on a copy, then runs them on the real one. It compares no
row; ours compares every row at each step. Prints medians and ratios; the exit status is 1 where the target
isn't met.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import URL, make_url, text

from anime_pipeline.database import server
from anime_pipeline.database.account import Account
from anime_pipeline.database.adoption.adopt import adopt
from anime_pipeline.database.adoption.backup import back_up
from anime_pipeline.database.adoption.connections import autocommit, transaction
from anime_pipeline.database.external import render
from anime_pipeline.database.installation import installation_for
from anime_pipeline.database.migrations import SQL_FOLDER
from anime_pipeline.delivery.product_queries import PRODUCT_QUERIES
from anime_pipeline.settings import Settings

ROWS, QUICK_ROWS = 1_000_000, 150_000
TURNS, QUICK_TURNS = 3, 2
TARGET = 1.5
SOURCE = "tower"
FILL = """
    INSERT INTO characters (name, description, visual_traits)
    SELECT 'character ' || g, repeat('lantern ', 5), jsonb_build_object('hair', g % 7, 'eyes', '琥珀')
    FROM generate_series(1, 1000) g;
    INSERT INTO generation_consistency (character_id, generation_request_id, output_image_path,
        face_similarity_score, aesthetic_score, overall_consistency_score, improvement_suggestions,
        metadata)
    SELECT 1 + g % 1000, md5(g::text), '/srv/out/' || g || '.png', random(), random() * 10, random(),
           ARRAY['more light', 'less grain ' || g],
           jsonb_build_object('seed', g, 'tags', jsonb_build_array('rain', g))
    FROM generate_series(1, {rows}) g;
    INSERT INTO face_embeddings (character_id, embedding_type, embedding_vector, face_bbox)
    SELECT 1 + g % 1000, 'arcface', decode(repeat(md5(g::text), 64), 'hex'), '[1, 2, 3, 4]'
    FROM generate_series(1, {rows} / 50) g;
    INSERT INTO stories (story_id, title, working_story)
    SELECT 'story ' || g, 'Story ' || g, jsonb_build_object('acts', g)
    FROM generate_series(1, {rows} / 100) g;
"""


@dataclass(frozen=True)
class Ground:
    """The server that both sides work on, and the folder of the plain side's files."""

    settings: Settings
    folder: Path

    def url(self, database: str) -> URL:
        """The URL of one of its databases."""
        return make_url(server.database_url(self.settings)).set(database=database)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements outside a transaction."""
        with autocommit(self.url(database)) as connection:
            for statement in statements:
                connection.execute(text(statement))

    def fresh(self, name: str) -> Settings:
        """A copy of the v1 database, and settings that work on it."""
        self.execute(
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE {SOURCE}"
        )
        return Settings(home=self.folder / name, database_url=render(self.url(name)))

    def tool(self, program: str, database: str, *arguments: str | Path) -> None:
        """Run a stock program with its own defaults."""
        path = installation_for(Account()).program(program)
        url = self.url(database)
        environment = {
            **os.environ,
            "PGHOST": str(url.host),
            "PGPORT": str(url.port),
            "PGUSER": str(url.username),
            "PGPASSWORD": str(url.password),
        }
        subprocess.run([path, "-d", database, *arguments], env=environment, check=True, capture_output=True)


def prepare(ground: Ground, rows: int) -> None:
    """Make the v1 database."""
    ground.execute(f"CREATE DATABASE {SOURCE}")
    with transaction(ground.url(SOURCE)) as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        with closing(driver.cursor()) as cursor:
            cursor.execute((SQL_FOLDER / "0001_v1.up.sql").read_text(encoding="utf-8"))
            cursor.execute(FILL.format(rows=rows))
    ground.execute("VACUUM ANALYZE", database=SOURCE)
    ground.execute("CHECKPOINT")


def plain_backup(ground: Ground, database: str) -> Path:
    """Dump, look at the list, restore once."""
    dump = ground.folder / "plain.dump"
    ground.tool("pg_dump", database, "-Fc", "-f", dump)
    ground.tool("pg_dump", database, "--schema-only", "-f", ground.folder / "plain.sql")
    plain_trial(ground, dump)
    return dump


def plain_trial(ground: Ground, dump: Path, migrated: bool = False) -> None:
    """Restore into a database of its own, try the SQL files there if asked, drop it."""
    ground.execute("DROP DATABASE IF EXISTS trial", "CREATE DATABASE trial")
    ground.tool("pg_restore", "trial", dump)
    if migrated:
        plain_upgrade(ground, "trial")
    ground.execute("DROP DATABASE trial")


def plain_upgrade(ground: Ground, database: str) -> None:
    """The SQL files in one transaction, stopping at the first error."""
    files = sorted(SQL_FOLDER.glob("*.up.sql"))
    arguments = [argument for file in files for argument in ("-f", str(file))]
    ground.tool("psql", database, "-q", "-1", "-v", "ON_ERROR_STOP=1", *arguments)


def ours_whole(ground: Ground) -> None:
    """`anime-pipeline db migrate`."""
    adopt(ground.fresh("ours"), PRODUCT_QUERIES)


def plain_whole(ground: Ground) -> None:
    """Back up, try the SQL files on another copy, run them."""
    ground.fresh("other")
    plain_trial(ground, plain_backup(ground, "other"), migrated=True)
    plain_upgrade(ground, "other")


def ours_backup(ground: Ground) -> None:
    """`anime-pipeline db backup`."""
    back_up(ground.fresh("ours"))


def race(ground: Ground, turns: int) -> dict[str, dict[str, float | bool]]:
    """Both sides in turn, on fresh copies of the same database; medians of seconds."""
    pairs: dict[str, tuple[Callable[[Ground], object], Callable[[Ground], object]]] = {
        "migration and backup": (ours_whole, plain_whole),
        "backup alone": (ours_backup, lambda ground: plain_backup(ground, SOURCE)),
    }
    results = {}
    for name, (mine, other) in pairs.items():
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(turns):
            for work, seconds in zip((mine, other), times, strict=True):
                began = time.perf_counter()
                work(ground)
                seconds.append(time.perf_counter() - began)
        results[name] = _compared(*map(statistics.median, times))
    return results


def _compared(mine: float, other: float) -> dict[str, float | bool]:
    ratio = mine / other
    return {
        "ours": round(mine, 3),
        "other": round(other, 3),
        "ratio": round(ratio, 3),
        "target": TARGET,
        "met": ratio <= TARGET,
    }


def main() -> int:
    """Run and print; 1 where a target isn't met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="150,000 rows: under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, help="rows of the biggest table")
    asked = parser.parse_args()
    rows = asked.rows or (QUICK_ROWS if asked.quick else ROWS)
    with tempfile.TemporaryDirectory(prefix="anime-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        settings = Settings(home=folder / "home", database_url=None, dagster_database_url=None)
        server.ensure_server(settings)
        try:
            ground = Ground(settings, folder)
            prepare(ground, rows)
            results = race(ground, QUICK_TURNS if asked.quick else TURNS)
        finally:
            server.stop_server(settings)
    if asked.json:
        print(json.dumps(results))
    else:
        table = Table("step", "ours, s", "plain, s", "ratio", "at most", "met", title=f"{rows:,} rows")
        for step, result in results.items():
            table.add_row(step, *(str(result[key]) for key in ("ours", "other", "ratio", "target", "met")))
        Console().print(table)
    return 0 if all(result["met"] for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
