"""Cells of a shot list: what production.yaml says of a cut, as text for a spreadsheet, and back.

A cell with a list holds one item a line, each as it stands in production.yaml after the dash. An empty cell
is a key that is not written. Spreadsheets take text for formulas and round long numbers; a leading
apostrophe keeps them from both, and is taken off again.
"""

from __future__ import annotations

import json
import re
from typing import Any

from anime_pipeline.story.entries import Entry
from anime_pipeline.story.production import BudgetEntry, CastEntry, CutCastEntry, LineEntry
from anime_pipeline.story.yaml_reading import UnreadableYamlError, read_yaml

LISTS: dict[str, type[Entry]] = {"cast": CutCastEntry, "dialogue": LineEntry, "scene_cast": CastEntry}
NUMBERS = frozenset({"duration_frames", "fps", "repeats", "seed", "takes"})
SWITCHES = frozenset({"continues", "continuous", "lip_flap"})
BUDGET = "budget"
NOBODY = "[]"
"""A list that is empty, where an empty cell would mean the default."""

# 15 digits are what a spreadsheet's numbers hold; ＝＋－＠ begin formulas in Japanese ones.
_GUARDED = re.compile(r"'*(?:[=+\-@＝＋－＠]|[0-9]{16,}\Z)")
_WHOLE = re.compile(r"([0-9]{1,30})(?:[.,]0{1,2})?")
_ROUNDED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_PLAIN = re.compile(r"\w[\w .!?'-]*")
_BUDGET_EXAMPLE = "{attempts: 2, retakes: 1}"
_SWITCHED = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class CellError(ValueError):
    """A cell that cannot be read; ``suggestion`` says how it is written."""

    def __init__(self, message: str, suggestion: str) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def guarded(text: str) -> str:
    """The text as it is written to a file, so that no spreadsheet computes or rounds it."""
    return f"'{text}" if _GUARDED.match(text) else text


def tidied(text: str) -> str:
    """A cell of a file without what a spreadsheet, or :func:`guarded`, put around its text."""
    text = _trimmed(text)
    return text[1:] if text.startswith("'") and _GUARDED.match(text) else text


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def cell_of(column: str, value: Any) -> str:
    """The tidied text of a value; empty for one that is not said."""
    if value is None:
        return ""
    if column in SWITCHES:
        return "yes" if value else "no"
    if column == BUDGET:
        return _flow(_in_order(BudgetEntry, value))
    if column in LISTS:
        return "\n".join(_item(column, item) for item in value) or NOBODY
    return _trimmed(str(value))


def value_of(column: str, text: str) -> Any:
    """What a tidied cell says, as the reader of production.yaml would have it; None where it is empty.

    A value of the wrong kind is given as its text, for the models to refuse. Raises :class:`CellError`.
    """
    if not text:
        return None
    if column in NUMBERS:
        return number_in(column, text)
    if column in SWITCHES:
        return _SWITCHED.get(text.lower(), text)
    if column == BUDGET:
        found = _read_flow(text, _BUDGET_EXAMPLE)
        if len(found) == 1 and isinstance(found[0], dict):
            return found[0]
        raise CellError(f"{text} is no budget", f"write it like {_BUDGET_EXAMPLE}")
    return _items(column, text) if column in LISTS else text


def number_in(column: str, text: str) -> int | str:
    """The whole number that a spreadsheet wrote (``12``, ``12.0``), any other text as it is."""
    if _ROUNDED.fullmatch(text):
        raise CellError(
            f"{column} is a number that the spreadsheet has rounded: {text}",
            "let the column be text there, and write all digits",
        )
    whole = _WHOLE.fullmatch(text)
    return int(whole[1]) if whole else text


def _items(column: str, text: str) -> list[Any]:
    if text == NOBODY:
        return []
    items: list[Any] = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        if column == "dialogue":
            items += (
                _read_flow(line, '{speaker: Mika, text: "hello", start: 8}') if line[0] == "{" else [line]
            )
        elif "{" in line:
            items += _read_flow(line, "{character: Mika, expression: sad}")
        else:
            items += [{"character": name.strip()} for name in line.split(",") if name.strip()]
    return items


def _item(column: str, item: dict[str, Any]) -> str:
    """The short form of an item where that says all of it, else the long one."""
    item = _in_order(LISTS[column], item)
    short = item.get("character", "")
    if column == "dialogue":
        short = f"{item['speaker']}: {item['text']}"
        return short if _is_line(short, item) else _flow(item)
    is_name = item == {"character": short} and short == short.strip() and short != NOBODY
    return short if is_name and not re.search(r"[,{\r\n]", short) else _flow(item)


def _in_order(entry: type[Entry], values: dict[str, Any]) -> dict[str, Any]:
    """The values as production.yaml has them: as stored, keys have no order."""
    return {name: values[name] for name in entry.model_fields if name in values}


def _is_line(short: str, item: dict[str, Any]) -> bool:
    try:
        said = LineEntry.written_out(short)
    except ValueError:
        return False
    return said == item and short[0] != "{" and not re.search(r"[\r\n]", short)


def _read_flow(line: str, example: str) -> list[Any]:
    try:
        document = read_yaml(f"[{line}]")
    except UnreadableYamlError as error:
        raise CellError(f"{line} cannot be read", f"write it on one line, like {example}") from error
    for problem in document.problems:
        raise CellError(f"{line}: {problem.message}", "write it once")
    found: list[Any] = document.data
    return found


def _flow(value: Any) -> str:
    """A value on one line, in the YAML that :func:`read_yaml` reads."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and read_yaml(value).data == value:
        return value
    return "".join(map(_printable, json.dumps(value, ensure_ascii=False)))


def _printable(letter: str) -> str:
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
