"""What is remembered of an operation: enough to see what was done, nothing that a person typed, no bodies.

Pure: a request in, JSON out. The words are those of the REST paths.
"""

from collections.abc import Mapping
from typing import Any, Final

from podium_protocol.operations import (
    Action,
    ElementImage,
    Html,
    Navigate,
    PageSize,
    ReadTree,
    Screenshot,
    SetLocation,
    Text,
)
from podium_protocol.urls import bare_url

__all__ = ["NAMES", "Request", "details_of"]

Request = Navigate | Screenshot | ElementImage | SetLocation | Html | Text | PageSize | ReadTree | Action

NAMES: Final[Mapping[type[Request], str]] = {
    Navigate: "navigate",
    Screenshot: "screenshot",
    ElementImage: "image",
    SetLocation: "location",
    Html: "html",
    Text: "text",
    PageSize: "page-size",
    ReadTree: "json",
    Action: "action",
}
"""What each is called in the log, as the last part of its REST path."""

MAX_TEXT: Final = 500
"""Characters kept of a selector; a URL is kept at four times that."""


def details_of(request: Request) -> dict[str, Any]:
    """What the log says of a request."""
    match request:
        case Navigate():
            found: dict[str, Any] = {"url": bare_url(request.url)[: 4 * MAX_TEXT]}
            found |= {"newTab": True} if request.new_tab else {}
            found |= {"blockImages": True} if request.block_images else {}
        case Screenshot():
            found = {"quality": request.quality}
            found |= {"clip": request.clip.model_dump()} if request.clip is not None else {}
            found |= {"fullPage": True} if request.full_page else {}
        case ElementImage():
            found = {**_target(request.target), "quality": request.quality}
        case SetLocation():
            found = {"latitude": request.latitude, "longitude": request.longitude, "accuracy": request.accuracy}
        case ReadTree():
            found = {"filter": "interactive"} if request.interactive else {}
            found |= {"depth": request.depth} if request.depth >= 0 else {}
        case Action():
            found = _action(request)
        case Html() | Text() | PageSize():
            found = {}
    return found if request.page is None else {**found, "page": request.page}


def _action(request: Action) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": request.kind}
    if request.target is not None:
        found |= _target(request.target)
    elif request.x is not None:
        found |= {"x": request.x, "y": request.y}
    if request.text is not None:
        found["textLength"] = len(request.text)
    if request.key is not None:
        # One key at a time is a way to type a password, too.
        found |= {"key": request.key} if len(request.key) > 1 else {"textLength": 1}
    if request.kind == "select" and request.value is not None:
        found["value"] = request.value[:MAX_TEXT]
    if request.kind == "scroll" and request.scroll_y is not None:
        found["scrollY"] = request.scroll_y
    return found


def _target(target: str) -> dict[str, str]:
    named = "ref" if target[:1] == "e" and target[1:].isdecimal() else "selector"
    return {named: target[:MAX_TEXT]}
