"""Column types that make SQLite as strict as PostgreSQL, so that what passes on one passes on the other."""

import json
import math
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

_UNSTORABLE: Final = dict.fromkeys([0, *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}")
"""PostgreSQL refuses NUL in text, and lone surrogates are no UTF-8; pages can produce both."""


class Time(TypeDecorator[datetime]):
    """An aware UTC time, also on SQLite, which stores none of the zone. A naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times in the store are aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text of at most `length` characters. A longer one is refused, as PostgreSQL does; see `clipped`."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Without characters that no database takes."""
        if value is None:
            return None
        if len(value) > self.length:
            raise ValueError(f"{len(value)} characters are too many for a column of {self.length}")
        return value.translate(_UNSTORABLE)


def clipped(text: str, length: int) -> str:
    """`text`, cut to `length` characters with an ellipsis where it was longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


def to_json(value: Any) -> str:
    """JSON as both databases take it: PostgreSQL refuses Python's NaN and Infinity, so those become null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
