"""What is on a page: its tree, its text, its HTML, its size."""

from typing import Any

from podium_agent.operations.pages import Pages
from podium_agent.operations.world import World
from podium_protocol.operations import AccessibilityTree, Html, PageSize, PageSizeRead, PageText, ReadTree, Text

__all__ = ["Reader"]


class Reader:
    """Operations that change nothing. Each raises `AgentError`."""

    def __init__(self, pages: Pages, world: World) -> None:
        self._pages = pages
        self._world = world

    async def tree(self, request: ReadTree) -> AccessibilityTree:
        """The accessibility tree; its refs replace those of the page's last one."""
        argument = {"interactive": request.interactive, "depth": request.depth}
        return AccessibilityTree.model_validate(await self._ask(request, "tree", argument))

    async def text(self, request: Text) -> PageText:
        """What a person would read."""
        return PageText.model_validate(await self._ask(request, "text", {}))

    async def html(self, request: Html) -> str:
        """The document as one piece of HTML."""
        return str(await self._ask(request, "html", {"inline": request.inline}))

    async def page_size(self, request: PageSize) -> PageSizeRead:
        """The content's size in CSS pixels."""
        return PageSizeRead.model_validate(await self._ask(request, "size", {}))

    async def _ask(self, request: ReadTree | Text | Html | PageSize, name: str, argument: dict[str, Any]) -> Any:
        async with self._pages.page(request.page, limit=request.timeout) as page:
            return await self._world.call(page, name, argument)
