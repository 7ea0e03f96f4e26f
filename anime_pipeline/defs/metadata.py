"""What Dagster's UI shows of a cut: a small picture, numbers that plot, tables, the way to the media."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import dagster as dg

from anime_pipeline.media.plots import draw_lines
from anime_pipeline.media.plots import webp as encoded

MAX_TABLE_ROWS = 300


def thumbnail(webp: bytes) -> dg.MetadataValue:
    """A small WebP picture inside the event itself: some tens of kilobytes, since it sits in the log."""
    return _picture("frame", webp)


def per_frame_plot(columns: Mapping[str, Sequence[float | None]]) -> dg.MetadataValue:
    """Metric → value per frame as a small plot inside the event itself: a line for each metric."""
    return _picture("per frame", encoded(draw_lines(columns)))


def _picture(name: str, content: bytes) -> dg.MetadataValue:
    data = base64.b64encode(content).decode("ascii")
    return dg.MetadataValue.md(f"![{name}](data:image/webp;base64,{data})")


def per_frame_table(columns: Mapping[str, Sequence[float | None]]) -> dg.MetadataValue:
    """Metric → value per frame as one table, its first ``MAX_TABLE_ROWS`` frames.

    A metric that is the same in every frame has no column: Dagster's UI cuts off a table that is too wide for
    its page, and with it the lines of text above.
    """
    columns = {name: values for name, values in columns.items() if len(set(values)) > 1} or columns
    length = min(MAX_TABLE_ROWS, max((len(values) for values in columns.values()), default=0))
    records = [
        dg.TableRecord({"frame": frame, **{name: _cell(values, frame) for name, values in columns.items()}})
        for frame in range(length)
    ]
    schema = dg.TableSchema(
        columns=[dg.TableColumn("frame", "int"), *(dg.TableColumn(name, "float") for name in columns)]
    )
    return dg.MetadataValue.table(records, schema=schema)


def _cell(values: Sequence[float | None], frame: int) -> float | None:
    value = values[frame] if frame < len(values) else None
    return None if value is None else round(value, 6)


def rows_table(rows: Sequence[Mapping[str, str | int | float | bool | None]]) -> dg.MetadataValue:
    """Rows of equal keys as a table; an empty sequence is an empty table."""
    columns = [dg.TableColumn(name, "string") for name in (rows[0] if rows else {})]
    return dg.MetadataValue.table(
        [dg.TableRecord(dict(row)) for row in rows], schema=dg.TableSchema(columns=columns)
    )
