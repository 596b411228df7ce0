"""What both kinds share: strict but forward-compatible models, Kubernetes' times and quantities, and object metadata."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

__all__ = ["Metadata", "Model", "Quantity", "Resource", "Time", "timestamp"]


def timestamp(time: datetime) -> str:
    """A time as Kubernetes writes it: UTC, `Z`, milliseconds only where there are any."""
    time = time.astimezone(UTC)
    spec = "milliseconds" if time.microsecond >= 1000 else "seconds"
    return time.isoformat(timespec=spec).replace("+00:00", "Z")


Time = Annotated[
    datetime,
    PlainSerializer(timestamp, return_type=str, when_used="unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

_QUANTITY: Final = r"^([0-9]+|[0-9]*\.[0-9]+)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value),
    Field(pattern=_QUANTITY, max_length=32),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": _QUANTITY, "x-kubernetes-int-or-string": True}),
]
"""An amount as Kubernetes writes it: `500m`, `2Gi`, `3`."""


class Model(BaseModel):
    """Camel case outside, snake case inside; what a newer version adds is ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def body(self) -> dict[str, Any]:
        """As JSON for the API server; what is not set is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Metadata(Model):
    """The part of an object's metadata that Podium reads."""

    name: str
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Resource(Model):
    """An object as the API server gives it."""

    metadata: Metadata

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Self:
        """Parse what a list, a watch or an answer holds. Raises `pydantic.ValidationError`."""
        return cls.model_validate(raw)
