"""What is on a page: its tree, its text, its HTML, its size."""

from dataclasses import dataclass
from json.encoder import encode_basestring as quoted
from typing import Any, Final

from podium_agent.operations.pages import Pages
from podium_agent.operations.world import World
from podium_protocol.operations import Html, PageSize, PageSizeRead, PageText, ReadTree, Text

__all__ = ["Json", "Reader"]

MOST: Final = 100_000
"""Nodes of one tree, as our script bounds them."""


@dataclass(frozen=True, slots=True)
class Json:
    """JSON of our own script's making, passed on as it is: models of some thousand nodes would take longer than the reading."""

    text: str


class Reader:
    """Operations that change nothing. Each raises `AgentError`."""

    def __init__(self, pages: Pages, world: World) -> None:
        self._pages = pages
        self._world = world
        self._next = 0
        """The first number that no ref has, in all pages: an old ref, be it of another tab, must never mean another element."""

    async def tree(self, request: ReadTree) -> Json:
        """The accessibility tree, an `AccessibilityTree`. An element has the ref that it had in the page's trees before."""
        first = self._next
        # Kept free meanwhile for what it may need, and for good if we never hear what it took.
        self._next = kept = first + MOST
        argument = {"interactive": request.interactive, "depth": request.depth, "first": first}
        used, _, rows = str(await self._ask(request, "tree", argument)).partition("\n")
        if self._next == kept:
            self._next = int(used)
        return _tree(rows)

    async def text(self, request: Text) -> PageText:
        """What a person would read."""
        return PageText.model_validate(await self._ask(request, "text", {"parts": request.parts}))

    async def html(self, request: Html) -> str:
        """The document as one piece of HTML."""
        return str(await self._ask(request, "html", {"inline": request.inline}))

    async def page_size(self, request: PageSize) -> PageSizeRead:
        """The content's size in CSS pixels."""
        return PageSizeRead.model_validate(await self._ask(request, "size", {}))

    async def _ask(self, request: ReadTree | Text | Html | PageSize, name: str, argument: dict[str, Any]) -> Any:
        async with self._pages.page(request.page, limit=request.timeout) as page:
            return await self._world.call(page, name, argument)


def _tree(rows: str) -> Json:
    # By hand, and row by row no more than needed, since the nodes are thousands; what a row says beyond its name is JSON already.
    head, _, rest = rows.partition("\n")
    nodes, number = [], -1
    for line in rest.split("\n") if rest else ():
        number += 1
        if line[0] <= "9":  # no role begins with a digit
            given, _, line = line.partition("\t")  # noqa: PLW2901
            number = int(given)
        parts = line.split("\t")
        if len(parts) == 3:
            role, depth, name = parts
            nodes.append(f'{{"ref":"e{number}","role":"{role}","name":{quoted(name)},"depth":{depth}}}')
        else:
            role, depth, name, more = parts
            nodes.append(f'{{"ref":"e{number}","role":"{role}","name":{quoted(name)},"depth":{depth},{more[1:-1]}}}')
    return Json(f'{head[:-1]},"nodes":[{",".join(nodes)}]}}')
