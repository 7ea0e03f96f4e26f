"""Defends that a checksum is the content's: blind to order and settings, the same on every server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from anime_pipeline.database.adoption.connections import transaction
from anime_pipeline.database.adoption.fingerprints import (
    Fingerprint,
    Part,
    all_fingerprints,
    fingerprint,
    fix_output,
)
from anime_pipeline_tests.database.adoption.conftest import TEMPLATE, Server, Studio

VALUES = st.tuples(
    st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(),
    st.none() | st.binary(max_size=8),
    st.none() | st.datetimes(),
)
PART = Part(("word", "number", "share", "data", "moment"))


@pytest.fixture(scope="module")
def connection(servers: dict[str, Server]) -> Iterator[Connection]:
    with transaction(servers["18"].url("postgres")) as opened:
        opened.execute(
            text(
                "CREATE TEMP TABLE held (word text, number bigint, share double precision, data bytea, "
                "moment timestamp)"
            )
        )
        fix_output(opened)
        yield opened


def of(connection: Connection, rows: list[tuple[object, ...]]) -> Fingerprint:
    connection.execute(text("TRUNCATE held"))
    for row in rows:
        values = dict(zip(("word", "number", "share", "data", "moment"), row, strict=True))
        connection.execute(text("INSERT INTO held VALUES (:word, :number, :share, :data, :moment)"), values)
    return fingerprint(connection, "pg_temp", "held", PART)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(VALUES, max_size=5), extra=VALUES, data=st.data())
def test_it_depends_on_rows_alone(
    connection: Connection, rows: list[tuple[object, ...]], extra: tuple[object, ...], data: st.DataObject
) -> None:
    held = of(connection, rows)
    assert of(connection, data.draw(st.permutations(rows))) == held
    assert held.rows == len(rows)
    assert of(connection, [*rows, extra]) != held
    assert of(connection, [*rows, extra, extra]).checksum != held.checksum, (
        "a row that stands in twice counts"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [(None, ""), ("", "NULL"), ("a", "A"), ("é", "e\u0301"), ('"', '""'), ("(a,b)", "a,b")],
)
def test_texts_that_look_alike_differ(connection: Connection, first: str | None, second: str) -> None:
    rest = (None, None, None, None)
    assert of(connection, [(first, *rest)]) != of(connection, [(second, *rest)])


def test_both_servers_give_the_same(servers: dict[str, Server]) -> None:
    """A backup of one is proved on the other."""
    found = []
    for one in servers.values():
        with transaction(one.url(TEMPLATE), read_only=True) as connection:
            found.append(all_fingerprints(connection))
    for tables in found:
        del tables["public.quality_gates"]  # v1 dates its own rows
    assert found[0] == found[1]


@pytest.mark.parametrize("major", ["18"])
def test_settings_of_the_database_change_nothing(studio: Studio) -> None:
    before = studio.content()
    name = studio.database
    studio.execute(
        f"ALTER DATABASE {name} SET extra_float_digits = -5",
        f"ALTER DATABASE {name} SET bytea_output = 'escape'",
        f"ALTER DATABASE {name} SET DateStyle = 'German'",
        f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'",
    )
    assert studio.content() == before
