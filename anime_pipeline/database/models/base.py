"""What every model shares: the Python types that stand for column types, and how seeds are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, Double, Text, TypeDecorator, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

SEED_LIMIT = 2**64


class Seed(TypeDecorator[int]):
    """A seed in 0 … 2^64−1, as ComfyUI knows it, in a signed BIGINT.

    The 64 bits are kept as they are (two's complement): seeds below 2^63 look the same in SQL, and a larger
    seed s is stored as s − 2^64. So each seed has exactly one stored value and comes back exactly. Equality
    works in SQL; ``<`` and ``ORDER BY`` put the larger half first. A seed outside the range is a ValueError.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if not 0 <= value < SEED_LIMIT:
            raise ValueError(f"a seed is a whole number from 0 to 2^64-1, not {value}")
        return value if value < SEED_LIMIT // 2 else value - SEED_LIMIT

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else value % SEED_LIMIT


class Base(DeclarativeBase):
    """The base of all models.

    Models mirror the migrated database and decide nothing: constraints and defaults live in the SQL files.
    They have no relationships, since the house loads by sets; so ``session.flush()`` a parent before its
    children. JSONB values are replaced as a whole; a change inside one is not noticed.
    """

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        float: Double,
        datetime: DateTime,
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
    }


Now = text("CURRENT_TIMESTAMP")
Id = Annotated[int, mapped_column(primary_key=True)]
Timestamp = Annotated[datetime, mapped_column(DateTime, server_default=Now)]
