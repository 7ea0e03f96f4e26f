"""Defends the command line: what it prints, as words and as JSON, its exit status, and what mistakes cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.cli.commands import COMMANDS, load
from anime_pipeline.cli.console import print_error, print_table
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings
from anime_pipeline_tests.cli.in_process import run
from anime_pipeline_tests.story.files import import_file, small, write

COMMAND = Path(sys.executable).with_name("anime-pipeline")
EXAMPLE = Path(__file__).parents[2] / "examples" / "lantern-post" / "production.yaml"


@pytest.fixture
def story(settings: Settings, tmp_path: Path) -> None:
    """The small production, without the process that tells Dagster of its cuts."""
    import_file(settings, write(tmp_path, small()))


def test_ten_mistakes_give_ten_messages_and_nothing_is_written(
    settings: Settings, session: Session, tmp_path: Path
) -> None:
    data = small()
    data["project"]["fpss"] = 24
    data["bible"]["color_palette"]["sea"] = "blue-ish"
    data["characters"][0]["attributes"][0]["priority"] = "high"
    data["characters"][1]["variations"] = [{"name": "coat", "type": "hat"}]
    scene = data["episodes"][0]["scenes"][0]
    scene["cast"][0]["costume_variant"] = "raincot"
    scene["cast"].append({"character": "Nobody"})
    scene["cuts"][0]["kind"] = "stil"
    scene["cuts"][1]["duration_frames"] = 0
    scene["cuts"][2]["dialogue"] = ["Kon: who is there?"]
    data["episodes"][0]["scenes"][1]["number"] = 1
    path = write(tmp_path, data)

    told = run(settings, "import", str(path))
    assert told.returncode == 1
    assert "10 mistakes" in told.stderr
    assert "Traceback" not in told.stderr
    assert "did you mean" in told.stderr.lower()

    listed = json.loads(run(settings, "import", str(path), "--json").stdout)["errors"]
    assert len(listed) == 10
    assert all(error["line"] > 0 and error["file"].endswith("production.yaml") for error in listed)
    assert session.scalar(text("SELECT count(*) FROM characters")) == 0
    assert session.scalar(text("SELECT count(*) FROM projects")) == 1, "only the default project"


def test_importing_twice_changes_nothing_and_status_lists_every_cut(
    settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path, small())
    planned = json.loads(run(settings, "import", str(path), "--dry-run", "--json").stdout)
    assert planned["entries"]
    assert run(settings, "status").returncode == 1, "a dry run writes nothing"
    assert json.loads(run(settings, "import", str(path), "--json").stdout) == planned
    assert json.loads(run(settings, "import", str(path), "--json").stdout)["entries"] == []

    states = json.loads(run(settings, "status", "--json").stdout)["cuts"]
    assert [state["cut_key"] for state in states] == [
        "small.e01.s001.c0010",
        "small.e01.s001.c0020",
        "small.e01.s001.c0030",
        "small.e01.s002.c0010",
    ]
    assert {state["state"] for state in states} == {"missing"}


@pytest.mark.usefixtures("story")
def test_a_prompt_says_where_its_parts_come_from(settings: Settings) -> None:
    prompt = json.loads(run(settings, "prompt", "small.e01.s001.c0010", "--json").stdout)
    sources = {part["text"]: part["source"] for part in prompt["parts"]}
    assert any("raincoat" in text and "outfit" in source for text, source in sources.items())
    assert "harbour" in prompt["positive"]
    assert prompt["negative"] == "blur"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "nowhere.yaml"), "nowhere.yaml"),
        (("import",), "Which file?"),
        (("prompt", "small.e01.s001.c0010"), "small.e01.s001.c0010"),
        (("prompt", "not a key"), "not a key"),
        (("status", "nothing-here"), "no active cut"),
        (("models", "where", "bufalo_l"), "buffalo_l"),
        (("models", "fetch", "buffalo_l"), "--accept-licence"),
    ],
)
def test_a_users_mistake_is_told_in_words(settings: Settings, arguments: tuple[str, ...], said: str) -> None:
    done = run(settings, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_schema_describes_the_example(settings: Settings) -> None:
    schema = json.loads(run(settings, "import", "--schema").stdout)
    assert set(yaml.safe_load(EXAMPLE.read_text())) <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_the_installed_command_is_this_one(settings: Settings) -> None:
    environment = {
        **os.environ,
        "ANIME_HOME": str(settings.home),
        "ANIME_DATABASE_URL": str(settings.database_url),
    }
    done = subprocess.run(
        [COMMAND, "status", "nothing-here"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "no active cut" in done.stderr


def test_a_command_is_loaded_when_it_is_named_and_listed_as_it_describes_itself() -> None:
    code = """
import sys, anime_pipeline.cli
print("sqlalchemy" in sys.modules)
import anime_pipeline.cli.status_command
print("alembic" in sys.modules, "requests" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"] * 3
    for name, (_, told) in COMMANDS.items():
        assert " ".join(load(name).help.partition("\n\n")[0].split()) == told


def test_env_is_what_a_shell_can_evaluate(settings: Settings) -> None:
    lines = run(settings, "env").stdout.strip().splitlines()
    assert all(line.startswith("export ") for line in lines)
    environment = json.loads(run(settings, "env", "--json").stdout)
    assert environment["DAGSTER_POSTGRES_URL"].startswith("postgresql+psycopg2://")
    assert (Path(environment["DAGSTER_HOME"]) / "dagster.yaml").is_file()


@pytest.mark.usefixtures("story")
def test_gates_of_an_unrendered_story_are_incomplete(settings: Settings) -> None:
    unknown = run(settings, "gates", "explain", "small.e01", "phase_9")
    assert (unknown.returncode, "phase_9" in unknown.stderr) == (1, True)
    verdicts = json.loads(run(settings, "gates", "show", "--json").stdout)
    assert {verdict["verdict"] for verdict in verdicts} == {"incomplete"}
    assert len(verdicts) == 4
    refused = run(settings, "deliver", "small")
    assert refused.returncode == 1
    assert "phase_0_animatic" in refused.stdout + refused.stderr


def test_brackets_in_what_is_told_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(UserError("torch [cpu] is missing", "pip install -e '.[metrics]'"))
    print_table("Takes", ("cut", "why"), [("a", "see [red]this[/red]")])
    told = capsys.readouterr()
    assert "torch [cpu] is missing" in told.err
    assert "pip install -e '.[metrics]'" in told.err
    assert "[red]this[/red]" in told.out
