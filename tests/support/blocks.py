"""What a reader copies out of the documents: fenced blocks of a shell or of Python, and the calls in the table of clients."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["CONNECTING", "PAGES", "Block", "blocks_of", "connecting"]

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))
"""Every document, as a path from the checkout."""
_SHELL: Final = {"sh", "bash", "console"}
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One that can be run."""

    page: str
    line: int
    language: str
    text: str

    @property
    def shell(self) -> bool:
        """Not Python."""
        return self.language in _SHELL

    @property
    def first(self) -> str:
        """Its first line that is no comment, which names it."""
        return next(line for line in self.text.splitlines() if line and not line.startswith("#"))

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.page}:{self.line}: {self.first}"


def blocks_of(page: str) -> list[Block]:
    """Those of a page that a shell or Python runs, in order."""
    text = (ROOT / page).read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _FENCE.finditer(text)
        if found[1] in _SHELL | {"python"}
    ]


CONNECTING: Final = "docs/clients.md"
"""The page whose table says how clients connect."""


def connecting() -> dict[str, str]:
    """Client -> how it connects: a call, or an address."""
    rows = re.findall(r"^\| ([^|]+) \| `([^`]*\bws://[^`]*)`", (ROOT / CONNECTING).read_text(), re.MULTILINE)
    return dict(rows)
