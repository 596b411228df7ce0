"""Reading an event's data, which came from an agent as JSON: the value of the right type, or what stands for none."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["flag", "milliseconds", "number", "text", "texts", "words"]


def words(data: Mapping[str, Any], name: str) -> str | None:
    """A string, or None."""
    value = data.get(name)
    return value if isinstance(value, str) else None


def text(data: Mapping[str, Any], name: str) -> str:
    """A string, or the empty one."""
    return words(data, name) or ""


def texts(data: Mapping[str, Any], name: str) -> Mapping[str, str] | None:
    """Strings by name, or None."""
    value = data.get(name)
    return value if isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values()) else None


def number(data: Mapping[str, Any], name: str) -> int | None:
    """An integer, or None; a fraction is rounded."""
    value = data.get(name)
    return round(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def flag(data: Mapping[str, Any], name: str) -> bool:
    """Whether it is true."""
    return data.get(name) is True


def milliseconds(since: datetime, until: datetime) -> int:
    """Whole milliseconds from one time to another; 0 where clocks disagree."""
    return max(0, round((until - since).total_seconds() * 1000))
