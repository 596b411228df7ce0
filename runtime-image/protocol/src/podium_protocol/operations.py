"""The operations that faces ask of a browser: typed requests and results, one list for all faces.

`page` is a target id; without it an operation means the session's active page.
"""

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from podium_protocol.sessions import Geolocation

__all__ = [
    "AccessibilityTree",
    "Acted",
    "Action",
    "Clip",
    "DialogsDismissed",
    "DismissedDialog",
    "ElementImage",
    "Html",
    "Key",
    "Kind",
    "Located",
    "Navigate",
    "Navigated",
    "Node",
    "PageSize",
    "PageSizeRead",
    "PageText",
    "ReadTree",
    "Screenshot",
    "ScreenshotTaken",
    "SetLocation",
    "Text",
    "dialogs_header",
]


class _Operation(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    page: str | None = None


class DismissedDialog(BaseModel):
    """A JavaScript dialog that was in the way of an operation and that nobody attended: it was declined, and the operation done."""

    model_config = ConfigDict(frozen=True)

    kind: str = Field(description="`alert`, `confirm` or `prompt`; of `beforeunload` the page was left.", examples=["alert"])
    text: str = Field(description="What it said.", examples=["Saved."])


DialogsDismissed: TypeAdapter[list[DismissedDialog]] = TypeAdapter(list[DismissedDialog])
"""As the header `podium-dialogs` of an answer carries them."""
_SHORTER: Final = (300, 100, 30, 10)


def dialogs_header(dialogs: Sequence[DismissedDialog], *, limit: int) -> str:
    """Them as JSON in printable ASCII, of `limit` bytes at most: what they said is cut as far as that needs, down to 10 characters.

    Twenty dialogs, which are the most that one call declines, fit into 4 KiB.
    """
    header = ""
    for most in _SHORTER:
        told = [one if len(one.text) <= most else one.model_copy(update={"text": f"{one.text[:most]}…"}) for one in dialogs]
        header = DialogsDismissed.dump_json(told, ensure_ascii=True).decode("ascii").replace("\x7f", "\\u007f")
        if len(header) <= limit:
            break
    return header


class _Answer(BaseModel):
    dialogs: list[DismissedDialog] = Field(
        default=[],
        exclude_if=lambda dialogs: not dialogs,
        description="JavaScript dialogs that were declined because they were in the way; left out where there were none.",
    )


class Navigate(_Operation):
    """`POST /operations/navigate`: load a URL and wait for its load event."""

    url: str = Field(min_length=1, max_length=65536)
    timeout: float = Field(default=30.0, gt=0, le=600)
    new_tab: bool = False
    block_images: bool = False


class Navigated(_Answer):
    """Where the page is now. `status` is the HTTP status where there was one."""

    page: str
    frame_id: str
    url: str
    status: int | None = None
    download: bool = False
    """The URL turned out to be a download; the page stayed where it was."""


class Clip(BaseModel):
    """A rectangle of the page in CSS pixels."""

    model_config = ConfigDict(frozen=True)

    x: float = Field(default=0, ge=0, le=100_000)
    y: float = Field(default=0, ge=0, le=100_000)
    width: float = Field(gt=0, le=20_000)
    height: float = Field(gt=0, le=20_000)


class Screenshot(_Operation):
    """`POST /operations/screenshot`: the answer's body is the image itself."""

    format: Literal["jpeg", "png"] = "jpeg"
    quality: int = Field(default=80, ge=1, le=100)
    clip: Clip | None = None
    full_page: bool = False
    timeout: float = Field(default=30.0, gt=0, le=600)

    @model_validator(mode="after")
    def _one_area(self) -> "Screenshot":
        if self.clip is not None and self.full_page:
            raise ValueError("clip and full_page exclude each other")
        return self


class ScreenshotTaken(BaseModel):
    """What an image's bytes do not say."""

    page: str
    url: str


class ElementImage(_Operation):
    """`POST /operations/image`: a picture of one element, scrolled into view."""

    target: str = Field(min_length=1, max_length=4096)
    """A CSS selector, or a ref of one of the page's trees (`e5`)."""
    quality: int = Field(default=80, ge=1, le=100)
    timeout: float = Field(default=10.0, gt=0, le=600)


class SetLocation(_Operation, Geolocation):
    """`POST /operations/location`: what `navigator.geolocation` says from now on, on every page of the session."""


class Located(Geolocation, _Answer):
    """Where they are now."""


class Html(_Operation):
    """`POST /operations/html`: the document as it is now; the answer's body is the HTML itself."""

    inline: bool = True
    """Put stylesheets, images and frames into it, as far as the page may read them; else the document without what is hidden."""
    timeout: float = Field(default=30.0, gt=0, le=600)


class Text(_Operation):
    """`POST /operations/text`: the text a person would see."""

    parts: bool = False
    """Say also what of it is worth reading: `main`, `said` and `form` of the answer."""
    timeout: float = Field(default=30.0, gt=0, le=600)


class PageText(_Answer):
    """The page's text as a person sees it; below `text` only where the parts were asked for."""

    url: str
    title: str
    text: str
    main: str = ""
    """The text without the page's menu, search, header and footer."""
    said: list[str] = []
    """Its headline, messages and open dialogs, wherever they stand."""
    form: bool = False
    """It has fields to fill in, other than a search."""


class PageSize(_Operation):
    """`POST /operations/page-size`: how large the page's content is."""

    timeout: float = Field(default=10.0, gt=0, le=600)


class PageSizeRead(_Answer):
    """CSS pixels, the part beyond the viewport included."""

    width: int
    height: int


class ReadTree(_Operation):
    """`POST /operations/tree`: the accessibility tree, in document order. A ref means one element for as long as that lives."""

    interactive: bool = False
    """Only what can be clicked, typed into or chosen."""
    depth: int = Field(default=-1, ge=-1, le=1000)
    """Levels below the root; -1 for all."""
    timeout: float = Field(default=30.0, gt=0, le=600)


class Node(BaseModel):
    """One element of the tree. Fields that do not apply are left out."""

    ref: str = Field(description="Names the element to actions and pictures.")
    role: str = Field(description="Its ARIA role; `StaticText` is text between elements.")
    name: str = Field(description="Its accessible name.")
    depth: int = Field(description="Levels below the list's first one, which is 0; only what is in this list is counted.")
    value: str | None = Field(default=None, description="What a field holds, or a choice shows; dots for a password.")
    checked: bool | Literal["mixed"] | None = None
    selected: bool | None = None
    expanded: bool | None = None
    pressed: bool | Literal["mixed"] | None = None
    level: int | None = None
    disabled: bool | None = None
    focused: bool | None = None


class AccessibilityTree(BaseModel):
    """The tree as a list, in document order. `nodes` comes last in its JSON: the gateway passes them on without reading them."""

    url: str
    title: str
    nodes: list[Node]


Kind = Literal["click", "type", "fill", "press", "focus", "hover", "select", "scroll"]
Key = str
"""`Enter`, `ArrowUp`, … or any single character."""


class Action(_Operation):
    """`POST /operations/action`: what a person would do, with real input events.

    With `target` the element is scrolled into view and waited for: visible, enabled, still, and not covered.
    """

    kind: Kind
    target: str | None = Field(default=None, min_length=1, max_length=4096)
    """A CSS selector, or a ref of one of the page's trees (`e5`)."""
    x: float | None = Field(default=None, ge=-100_000, le=100_000)
    y: float | None = Field(default=None, ge=-100_000, le=100_000)
    text: str | None = Field(default=None, max_length=1_000_000)
    key: str | None = Field(default=None, min_length=1, max_length=32)
    value: str | None = Field(default=None, max_length=100_000)
    scroll_y: float | None = Field(default=None, ge=-1_000_000, le=1_000_000)
    timeout: float = Field(default=10.0, gt=0, le=600)

    @model_validator(mode="after")
    def _complete(self) -> "Action":
        missing = self._missing()
        if missing is not None:
            raise ValueError(f"{self.kind} needs {missing}")
        return self

    def _missing(self) -> str | None:
        if (self.x is None) != (self.y is None):
            return "x and y together"
        if self.kind in ("click", "hover") and self.target is None and self.x is None:
            return "a selector, a ref, or x and y"
        if self.kind in ("fill", "focus", "select") and self.target is None:
            return "a selector or a ref"
        if self.kind == "scroll" and self.target is None and self.scroll_y is None:
            return "a selector, a ref, or scrollY"
        needed = {"type": ("text", self.text), "fill": ("text", self.text), "press": ("key", self.key)}
        needed["select"] = ("value", self.value)
        name, given = needed.get(self.kind, ("", ""))
        return name if given is None else None


class Acted(_Answer):
    """The action was done."""

    kind: Kind
    page: str
    url: str
    element: str | None = None
    """What it was done to, in a few words; None where that was no element."""
