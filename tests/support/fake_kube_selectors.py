"""Label and field selectors, as far as controllers and kubectl's own columns use them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Selector:
    namespace: str = ""
    labels: tuple[tuple[str, str, str], ...] = ()
    """(name, operator, value) with the operators =, !=, exists, absent, in (value: words with a bar between)."""
    fields: tuple[tuple[str, str, str], ...] = ()

    def matches(self, body: dict[str, Any]) -> bool:
        meta = body["metadata"]
        if self.namespace and meta.get("namespace") != self.namespace:
            return False
        labels = meta.get("labels") or {}
        return all(_holds(labels.get(name), *rest) for name, *rest in self.labels) and all(
            _holds(_field(body, name), *rest) for name, *rest in self.fields
        )


def parse_selector(namespace: str, labels: str, fields: str) -> Selector:
    return Selector(namespace, tuple(_requirements(labels)), tuple(_requirements(fields)))


def entry_of(pointer: str) -> list[str]:
    """The steps of a JSON pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _requirements(text: str) -> list[tuple[str, str, str]]:
    found = []
    for part in _parts(text):
        if " in " in part:
            name, _, words = part.partition(" in ")
            found.append((name.strip(), "in", "|".join(word.strip() for word in words.strip(" ()").split(","))))
        elif "!=" in part:
            name, _, value = part.partition("!=")
            found.append((name, "!=", value))
        elif "=" in part:
            name, _, value = part.partition("=")
            found.append((name, "=", value.removeprefix("=")))
        elif part.startswith("!"):
            found.append((part[1:], "absent", ""))
        else:
            found.append((part, "exists", ""))
    return found


def _parts(text: str) -> list[str]:
    """Split at the commas that are not between parentheses."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in (*parts, current) if part.strip()]


def _holds(value: str | None, operator: str, wanted: str) -> bool:
    match operator:
        case "=":
            return value == wanted
        case "!=":
            return value != wanted
        case "in":
            return value in wanted.split("|")
        case "exists":
            return value is not None
        case _:
            return value is None


def _field(body: dict[str, Any], path: str) -> str | None:
    found: Any = body
    for step in path.strip(".").split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return None if found is None else str(found)
