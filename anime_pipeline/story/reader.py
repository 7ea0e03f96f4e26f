"""``production.yaml`` as a :class:`Production`, or everything that is wrong with it, told at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from anime_pipeline.cycle_collection import cycle_collection_paused
from anime_pipeline.story.crosschecks import check
from anime_pipeline.story.mistakes import ProductionError, ProductionErrors
from anime_pipeline.story.pictures import Picture, PictureError, Source, read_picture
from anime_pipeline.story.plain import Findings
from anime_pipeline.story.production import Production
from anime_pipeline.story.wording import close_match, field_text, keys_at, words_for
from anime_pipeline.story.yaml_reading import Document, Location, Problem, UnreadableYamlError, read_yaml

_LARGEST_FILE = 64 * 1024 * 1024


@cycle_collection_paused()
def read_production(path: Path | str) -> Production:
    """The production that a file describes, with its pictures found and hashed.

    Raises :class:`ProductionErrors` with every mistake of the file, each with its line and field.
    """
    path = Path(path)
    data = _bytes_of(path)
    try:
        document = read_yaml(data.decode("utf-8-sig"))
    except UnreadableYamlError as error:
        raise ProductionErrors([_error(path, error.problem)]) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(line, (), "the file is not UTF-8 text", "save it as UTF-8")
        raise ProductionErrors([_error(path, problem)]) from None
    if document.data is None:
        problem = Problem(1, (), "the file is empty", "begin with 'project:'; see examples/")
        raise ProductionErrors([_error(path, problem)])
    production, problems = _validated(document)
    findings = check(document.data)
    pictures, unusable = _pictures(path.parent, findings, document)
    problems += document.problems + unusable
    problems += [
        Problem(document.line_of(mistake.location), mistake.location, mistake.message, mistake.suggestion)
        for mistake in findings.mistakes
    ]
    if problems or production is None:
        raise ProductionErrors([_error(path, problem) for problem in problems])
    sha256 = hashlib.sha256(data).hexdigest()
    return production.read_from(Source(str(path.absolute()), sha256, pictures))


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            problem = Problem(0, (), "the file is larger than 64 MiB", "split the production into episodes")
            raise ProductionErrors([_error(path, problem)])
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        problem = Problem(0, (), f"the file cannot be read: {reason}", "check the path")
        raise ProductionErrors([_error(path, problem)]) from None


def _validated(document: Document) -> tuple[Production | None, list[Problem]]:
    try:
        return Production.model_validate(document.data), []
    except ValidationError as error:
        found = error.errors(include_url=False)
    misspelt: dict[Location, list[str]] = {}
    for one in found:
        if one["type"] == "extra_forbidden":
            misspelt.setdefault(tuple(one["loc"][:-1]), []).append(str(one["loc"][-1]))
    problems = []
    for one in found:
        location: Location = tuple(one["loc"])
        if one["type"] == "missing" and _is_misspelt(location, misspelt):
            continue
        message, suggestion = words_for(one)
        problems.append(Problem(document.line_of(location), location, message, suggestion))
    return None, problems


def _is_misspelt(location: Location, misspelt: dict[Location, list[str]]) -> bool:
    """Whether a missing key stands there under a wrong name, which is one mistake and not two."""
    known = keys_at(location[:-1])
    wrong = misspelt.get(location[:-1], [])
    return any(close_match(word, known) == f"did you mean '{location[-1]}'?" for word in wrong)


def _pictures(
    folder: Path, findings: Findings, document: Document
) -> tuple[dict[str, Picture], list[Problem]]:
    pictures: dict[str, Picture] = {}
    unusable: dict[str, Problem] = {}
    for location, relative in findings.pictures:
        if relative in pictures or relative in unusable:
            continue
        try:
            pictures[relative] = read_picture(folder, relative)
        except PictureError as mistake:
            line = document.line_of(location)
            unusable[relative] = Problem(line, location, str(mistake), mistake.suggestion)
    return pictures, list(unusable.values())


def _error(path: Path, problem: Problem) -> ProductionError:
    return ProductionError(
        str(path), problem.line, field_text(problem.location), problem.message, problem.suggestion
    )
