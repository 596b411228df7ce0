"""What driving a page takes and gives."""

from pydantic import ConfigDict, Field

from podium_gateway.faces.rbs.page_models import DialogsTold
from podium_gateway.faces.urls import OpenableUrl
from podium_gateway.faces.wire import Body
from podium_protocol.operations import Clip

__all__ = ["NavigateBody", "NavigateView", "ScreenshotView", "clip_of"]


class NavigateBody(Body):
    """Where to go."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://example.com", "timeout": 30}]})

    url: OpenableUrl = Field(
        description="http, https or data, or about:blank; other schemes are refused.",
        examples=["https://example.com"],
    )
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for the load event.")
    block_images: bool = Field(default=False, alias="blockImages", description="Load no images until the next navigation.")
    new_tab: bool = Field(default=False, alias="newTab", description="In a new tab, which is the active one from then on.")


class NavigateView(DialogsTold):
    """Where the page is now."""

    url: str = Field(description="After redirects.", examples=["https://example.com/"])
    frameId: str = Field(description="The page's own frame, as DevTools names it.")  # noqa: N815
    targetId: str = Field(description="The tab.")  # noqa: N815
    status: int | None = Field(default=None, description="HTTP status, where there was one.", examples=[200])
    download: bool = Field(default=False, description="The URL was a download; the page stayed where it was.")


class ScreenshotView(DialogsTold):
    """An image in JSON; `raw=true` gives the bytes."""

    format: str = Field(examples=["jpeg"])
    base64: str = Field(description="The image's bytes.", examples=["/9j/4AAQSkZJRg..."])


def clip_of(x: int, y: int, width: int | None, height: int | None) -> Clip | None:
    """The area of a screenshot; none for the whole viewport. Raises `ValueError`."""
    if (width is None) != (height is None):
        raise ValueError("width and height are given together or not at all")
    if width is None or height is None:
        return None
    return Clip(x=x, y=y, width=width, height=height)
