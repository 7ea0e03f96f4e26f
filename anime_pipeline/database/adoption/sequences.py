"""Counters of ids that lag behind the rows, as after an import with ids: a new row would meet an old one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import Connection, Table, text

from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.difference import Difference
from anime_pipeline.database.adoption.shapes import TableShape

_LARGEST = 2**31 - 1


def lagging_sequences(
    connection: Connection, tables: Mapping[str, Table], shapes: Mapping[str, TableShape]
) -> list[Difference]:
    """A ``mended`` difference for each counter behind its table, a warning where no number is left."""
    found = []
    for name, shape in sorted(shapes.items()):
        (column, *_) = expected.primary_key(tables[name])
        held = shape.columns.get(column)
        counter = re.fullmatch(r"nextval\('(.+)'::regclass\)", (held and held.default) or "")
        if held is None or counter is None or not shape.is_table:
            continue
        sequence = counter[1].replace("''", "'")
        largest = connection.scalar(text(f"SELECT max({column}) FROM public.{name}"))
        last = connection.scalar(text(f"SELECT last_value FROM {sequence}"))
        if largest is None or last is None or largest <= last:
            continue
        if largest >= _LARGEST:
            message = f"{name}.{column} reaches {largest}: its counter can't go on from there"
            found.append(Difference(name, "warning", message, "Give that row a smaller number."))
        else:
            mend = f"SELECT setval('{counter[1]}', {largest})"
            message = f"the counter of {name}.{column} stands at {last}, behind {largest}"
            found.append(Difference(name, "mended", message, mend=(mend,)))
    return found
