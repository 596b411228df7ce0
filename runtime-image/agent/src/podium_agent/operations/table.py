"""All operations by name, as `POST /operations/{name}` calls them: what each takes and what does it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from podium_agent.operations.read import Json
from podium_agent.operations.screenshot import take, take_element
from podium_protocol.operations import (
    Action,
    ElementImage,
    Html,
    Navigate,
    PageSize,
    ReadTree,
    Screenshot,
    ScreenshotTaken,
    SetLocation,
    Text,
)

if TYPE_CHECKING:
    from podium_agent.browser import Browser

__all__ = ["Operation", "Result", "operations"]

Result = BaseModel | Json | str | tuple[bytes, ScreenshotTaken]
"""JSON, HTML, or an image and what it shows."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one browser."""

    request: type[BaseModel]
    run: Callable[[Any], Awaitable[Result]]


def operations(browser: "Browser") -> dict[str, Operation]:
    """The whole list. A new operation is one line here and its module."""
    pages, world, reader = browser.pages, browser.world, browser.reader
    return {
        "navigate": Operation(Navigate, browser.navigator.navigate),
        "screenshot": Operation(Screenshot, lambda request: take(pages, request)),
        "image": Operation(ElementImage, lambda request: take_element(pages, world, request)),
        "tree": Operation(ReadTree, reader.tree),
        "text": Operation(Text, reader.text),
        "html": Operation(Html, reader.html),
        "page-size": Operation(PageSize, reader.page_size),
        "action": Operation(Action, browser.actor.act),
        "location": Operation(SetLocation, browser.location.set),
    }
