"""What all bodies of these paths have in common: strict in, UTC with `Z` out, errors as a sentence and a code."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

__all__ = ["Body", "ErrorBody", "Time"]


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_utc, return_type=str, when_used="json")]
"""UTC with `Z`, to the millisecond."""


class Body(BaseModel):
    """Base of what comes in. Strict: "30" is no number. Fields that we do not know belong to another document."""

    # Python's JSON reader takes NaN and Infinity, which are no numbers to anybody else.
    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


class ErrorBody(BaseModel):
    """Every answer that is an error."""

    detail: str = Field(description="A sentence for people.", examples=["session not found"])
    code: str | None = Field(default=None, description="A stable word for programs.", examples=["session_not_found"])
    details: dict[str, object] | None = Field(default=None, description="More for programs; left out where there is nothing more.")
