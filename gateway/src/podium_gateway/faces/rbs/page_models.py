"""What the paths that drive and read a page take and give."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from podium_gateway.faces.wire import Body
from podium_protocol.operations import Action, DismissedDialog, Kind, Node

__all__ = [
    "ActedView",
    "ActionBody",
    "DialogsTold",
    "LocationBody",
    "LocationView",
    "Ref",
    "Selector",
    "SizeView",
    "TextView",
    "TreeView",
    "target_of",
]

_REF: Final = re.compile(r"e\d{1,12}")


def _ref(ref: str) -> str:
    if not _REF.fullmatch(ref):
        raise ValueError("must be a ref of the page's tree, such as e5")
    return ref


Selector = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        description="A CSS selector, which means its first match, or a ref.",
        examples=["button.submit"],
    ),
]
Ref = Annotated[str, Field(max_length=16, description="A ref of one of the page's trees.", examples=["e5"]), AfterValidator(_ref)]


def target_of(selector: str | None, ref: str | None) -> str | None:
    """The element that is meant. Raises `ValueError` for two."""
    if selector is not None and ref is not None and selector != ref:
        raise ValueError("selector and ref exclude each other")
    return ref if selector is None else selector


class DialogsTold(BaseModel):
    """What was in the way of a call; answers that are no JSON say it in the header `Podium-Dialogs`."""

    dialogs: list[DismissedDialog] = Field(
        default=[],
        exclude_if=lambda dialogs: not dialogs,
        description="JavaScript dialogs that were in the way and were declined for this call, in their order; left out where there"
        " were none.",
    )


class LocationBody(Body):
    """Where to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"latitude": 37.7749, "longitude": -122.4194, "accuracy": 100}]})

    latitude: float = Field(ge=-90, le=90, description="Degrees.")
    longitude: float = Field(ge=-180, le=180, description="Degrees.")
    accuracy: float = Field(default=100, ge=0, le=100_000_000, description="Meters.")


class LocationView(DialogsTold):
    """Where the session's pages are now."""

    latitude: float = Field(examples=[37.7749])
    longitude: float = Field(examples=[-122.4194])
    accuracy: float = Field(examples=[100])


class ActionBody(Body):
    """What to do, with mouse and keys as a person would."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "click", "selector": "button.submit"},
                {"kind": "click", "x": 100, "y": 200},
                {"kind": "fill", "ref": "e5", "text": "Ada"},
                {"kind": "press", "key": "Enter", "selector": "input#search"},
                {"kind": "select", "selector": "#size", "value": "L"},
                {"kind": "scroll", "scrollY": 500},
            ]
        }
    )

    kind: Kind = Field(description="What to do.", examples=["click"])
    selector: Selector | None = None
    ref: Ref | None = None
    x: float | None = Field(
        default=None,
        ge=-100_000,
        le=100_000,
        description="For `click` and `hover` without an element: CSS pixels from the viewport's left edge.",
    )
    y: float | None = Field(default=None, ge=-100_000, le=100_000, description="With `x`: from its top edge.")
    text: str | None = Field(
        default=None,
        max_length=1_000_000,
        description="For `type`, key by key where the caret stands, which is the beginning of a field nobody has been in (`press`"
        " `End` first to add to it); for `fill`, in place of what is there, empty to clear.",
    )
    key: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="For `press`: Enter, Tab, Escape, Backspace, Space, ArrowUp, ArrowDown, ArrowLeft, ArrowRight, Home, End, "
        "PageUp, PageDown, Delete, or one character; spelled like this, without modifiers.",
    )
    value: str | None = Field(default=None, max_length=100_000, description="For `select`: an option's value or its text.")
    scroll_y: float | None = Field(
        default=None, ge=-1_000_000, le=1_000_000, alias="scrollY", description="For `scroll`: pixels down, or up when negative."
    )
    timeout: float = Field(
        default=10, gt=0, le=600, description="Seconds to wait for the element to be usable, and for what follows."
    )

    def action(self) -> Action:
        """As an operation. Raises `ValueError` when something that the kind needs is missing."""
        return Action(
            kind=self.kind,
            target=target_of(self.selector, self.ref),
            x=self.x,
            y=self.y,
            text=self.text,
            key=self.key,
            value=self.value,
            scroll_y=self.scroll_y,
            timeout=self.timeout,
        )


class ActedView(DialogsTold):
    """It was done."""

    kind: Kind = Field(examples=["click"])
    ok: bool = True
    url: str = Field(description="Where the page is now; a script may lead it on later.", examples=["https://example.com/cart"])
    element: str | None = Field(
        default=None,
        description="What it was done to: role, name and tag; null where it was no element.",
        examples=['button "Submit" <button.submit>'],
    )


class TreeView(DialogsTold):
    """The accessibility tree as a list, in document order."""

    nodes: list[Node] = Field(
        description="Fields that do not apply to an element are left out.",
        examples=[
            [
                {"ref": "e0", "role": "button", "name": "Submit", "depth": 2},
                {"ref": "e1", "role": "textbox", "name": "Email", "depth": 2, "value": ""},
            ]
        ],
    )
    count: int = Field(examples=[2])


class TextView(DialogsTold):
    """A page's text."""

    url: str = Field(examples=["https://example.com/page"])
    title: str = Field(examples=["Page Title"])
    text: str = Field(examples=["Extracted readable text..."])


class SizeView(DialogsTold):
    """CSS pixels."""

    width: int = Field(description="A scrollbar is not part of it.", examples=[1920])
    height: int = Field(examples=[3840])
