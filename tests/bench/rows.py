"""The rows of the table, each with the number it has to reach, and what was measured for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ROWS", "Measured", "Part", "Row", "parts_of", "table"]

Part = Literal["messages", "large", "operations", "capture", "starts", "saving", "memory", "routing"]
"""What is measured together, because it shares servers and takes turns."""


@dataclass(frozen=True, slots=True)
class Row:
    """One number to reach: `measured` at most `target`, in `unit` (`x` is a ratio)."""

    key: str
    what: str
    target: float
    unit: Literal["x", "ms", "s", "MiB", "KiB"]
    against: str
    """What the ratio is to, or what the time comes on top of; empty for sizes."""
    part: Part


ROWS: Final = (
    Row("hop", "one splice hop, small messages, p50 added", 1.5, "x", "what nginx adds", "messages"),
    Row("gateway", "gateway + agent, small messages, p50 added", 2.5, "x", "what nginx adds", "messages"),
    Row("large", "4 MB message each way through gateway + agent", 1.1, "x", "direct", "large"),
    Row("warm", "create → first CDP reply, warm", 0.15, "x", "cold", "starts"),
    Row("cold", "create → first CDP reply, cold", 1.35, "x", "Xvfb + x11vnc + Chromium by hand", "starts"),
    Row("screenshot", "REST screenshot", 1.1, "x", "Playwright", "operations"),
    Row("html", "REST HTML", 0.8, "x", "Playwright", "operations"),
    Row("text", "REST raw text", 0.8, "x", "Playwright", "operations"),
    Row("tree", "REST accessibility tree", 0.3, "x", "Playwright", "operations"),
    Row("click", "REST click", 0.5, "x", "Playwright", "operations"),
    Row("readable", "readable text: longest time the gateway's loop is away", 10, "ms", "", "operations"),
    Row("save", "save at the end: 3 origins, 1 MB", 0.5, "s", "more than the end of the same unsaved", "saving"),
    Row("resume", "resume until the page is back", 0.3, "s", "more than create → first CDP reply", "saving"),
    Row("capture", "page of 500 requests and 1,000 console lines, recorded", 1.05, "x", "Chromium without an agent", "capture"),
    Row("agent", "agent, PSS", 60, "MiB", "", "memory"),
    Row("session", "whole session with six running, PSS", 270, "MiB", "", "memory"),
    Row("idle", "one idle CDP connection in the gateway, PSS", 48, "KiB", "", "memory"),
    Row("route", "what a gateway in a cluster keeps of one session", 1, "KiB", "", "routing"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A row's number, or none and the sentence that says why not; `detail` is what it was made from."""

    value: float | None
    detail: str


def parts_of(keys: Sequence[str]) -> set[Part]:
    """What has to be measured for these rows; for no keys, everything."""
    return {row.part for row in ROWS if not keys or row.key in keys}


def table(results: Mapping[str, Measured], keys: Sequence[str]) -> str:
    """The Markdown table of the rows that were asked for."""
    lines = ["| what | target | measured | reached | from |", "|---|--:|--:|---|---|"]
    for row in ROWS:
        if keys and row.key not in keys:
            continue
        found = results.get(row.key, Measured(None, "not measured"))
        limit = f"≤ {_number(row.target, row)}" + (f" {row.against}" if row.against else "")
        if found.value is None:
            lines.append(f"| {row.what} | {limit} | – | – | {found.detail} |")
            continue
        reached = "yes" if found.value <= row.target else "**no**"
        lines.append(f"| {row.what} | {limit} | **{_number(found.value, row)}** | {reached} | {found.detail} |")
    return "\n".join(lines)


def _number(value: float, row: Row) -> str:
    return f"{value:.3g} ×" if row.unit == "x" else f"{value:.3g} {row.unit}"
