"""JSON values as block-style YAML: as much of it as a manifest needs, so that this room depends on nothing."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["dump"]

_PLAIN: Final = re.compile(r"[A-Za-z/$][A-Za-z0-9_./$()-]*( [A-Za-z0-9_./$()-]+)*\.?")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def dump(value: dict[str, Any]) -> str:
    """One YAML document."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _entry(f"{_scalar(key)}:", part)
    else:
        for part in value:
            first, *rest = _lines(part) if isinstance(part, dict | list) and part else (_scalar(part),)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _entry(head: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
