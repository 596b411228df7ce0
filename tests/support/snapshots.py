"""Playwright's aria snapshots and Podium's accessibility trees in one form, so that they can be compared.

A snapshot is lines like `- heading "Title" [level=1]: text`, indented by depth: YAML to look at, with a grammar for its keys.
"""

import json
import re
from dataclasses import dataclass, field, replace

from podium_protocol.operations import Node

TEXT = "text"
_KEY = re.compile(r'(?P<role>[\w-]+)(?: (?P<name>"(?:[^"\\]|\\.)*"))?(?P<states>(?: \[[^\]]*\])*)$')
_STATES = {"checked", "disabled", "expanded", "pressed", "selected", "level"}
"""`invalid` and `active` are not among what Podium tells."""


@dataclass(frozen=True, slots=True)
class Line:
    """One node. A text's name is the text; `value` is a field's content."""

    depth: int
    role: str
    name: str
    states: frozenset[str] = field(default=frozenset())
    value: str | None = None

    def deeper(self, levels: int) -> "Line":
        return replace(self, depth=self.depth + levels)


def squeezed(text: str) -> str:
    """White space as snapshots have it."""
    return re.sub(r"\s+", " ", re.sub("[\u200b\u00ad]", "", text).strip())


def of_playwright(snapshot: str) -> list[Line]:
    """The lines of `aria_snapshot()`; a field's only text is its value."""
    lines: list[Line] = []
    for raw in snapshot.splitlines():
        depth = (len(raw) - len(raw.lstrip(" "))) // 2
        key, rest = _key(raw.strip()[2:])
        if key == TEXT:
            lines.append(Line(depth, TEXT, _scalar(rest)))
        elif not key.startswith("/"):
            lines.append(_line(depth, key))
            if rest:
                lines.append(Line(depth + 1, TEXT, _scalar(rest)))
    return lines


def of_podium(nodes: list[Node]) -> list[Line]:
    """The nodes of a tree."""
    lines = []
    for node in nodes:
        names = ("checked", "disabled", "expanded", "pressed", "selected", "level")
        flags: dict[str, object] = {name: getattr(node, name) for name in names}
        states = frozenset(name if value is True else f"{name}={value}" for name, value in flags.items() if value)
        role = TEXT if node.role == "StaticText" else node.role
        lines.append(Line(node.depth, role, node.name, states, None if node.value is None else squeezed(node.value)))
    return lines


def _key(item: str) -> tuple[str, str]:
    """A list item's key, unquoted, and what follows its colon."""
    if item.startswith("'"):
        end = re.match(r"'(?:[^']|'')*'", item)
        assert end is not None, item
        return end[0][1:-1].replace("''", "'"), item[end.end() :].lstrip(":").strip()
    key = re.match(r'(?:"(?:[^"\\]|\\.)*"|[^":]|:(?! |$))*', item)
    assert key is not None, item
    return key[0], item[key.end() :].lstrip(":").strip()


def _scalar(text: str) -> str:
    if not text.startswith('"'):
        return text
    escaped = re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", text)
    found: str = json.loads(escaped)
    return found


def _line(depth: int, key: str) -> Line:
    found = _KEY.match(key)
    assert found is not None, key
    states = {state for state in re.findall(r"\[([^\]]*)\]", found["states"]) if state.split("=")[0] in _STATES}
    return Line(depth, found["role"], json.loads(found["name"]) if found["name"] else "", frozenset(states))
