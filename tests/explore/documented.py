"""What the API promises of each route: its statuses from the description that checks requests, its sockets' from docs/api.md."""

from pathlib import Path
from typing import Final

from podium_gateway.app import described

__all__ = ["CODES", "PATHS", "statuses_of"]

_PAGE: Final = (Path(__file__).parents[2] / "docs/api.md").read_text()


def _table(heading: str) -> list[list[str]]:
    """The cells of every table row below a heading."""
    section = _PAGE.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def _read() -> dict[str, frozenset[int]]:
    found = {}
    for path, methods in described().openapi()["paths"].items():
        for method, operation in methods.items():
            found[f"{method.upper()} {path}"] = frozenset(int(status) for status in operation["responses"])
    for path in ("/ws/{session_id}", "/users/{user_id}/vnc/ws/{session_id}"):
        rows = _table(f"### WebSocket {path}")
        found[f"WebSocket {path}"] = frozenset(int(row[0]) for row in rows if row[0].isdigit())
    return found


PATHS: Final = _read()
"""`METHOD /path` -> the statuses that it may answer."""
CODES: Final = frozenset((int(row[0]), row[1].strip("`")) for row in _table("## Errors") if row[0].isdigit())
"""Status and code of every error."""


def statuses_of(route: str) -> frozenset[int]:
    """Those of a route. Raises `KeyError`: it is nowhere documented."""
    return PATHS[route]
