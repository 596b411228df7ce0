"""The operations that faces ask of a browser: typed requests and results, one list for all faces.

`page` is a target id; without it an operation means the session's active page.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Clip", "Navigate", "Navigated", "Screenshot", "ScreenshotTaken"]


class _Operation(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    page: str | None = None


class Navigate(_Operation):
    """`POST /operations/navigate`: load a URL and wait for its load event."""

    url: str = Field(min_length=1, max_length=65536)
    timeout: float = Field(default=30.0, gt=0, le=600)
    new_tab: bool = False
    block_images: bool = False


class Navigated(BaseModel):
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
