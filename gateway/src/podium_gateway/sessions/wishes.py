"""What a caller wants of a new session."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from podium_protocol.sessions import DisconnectPolicy, SessionContext

__all__ = ["Wish", "saves_nothing"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of a new session; what is not said is as the service does by default."""

    url: str | None = None
    source: str | None = None
    """A stored session to begin from, instead of the id's own."""
    ephemeral: bool = False
    """Save nothing."""
    headless: bool | None = None
    context: SessionContext = field(default_factory=SessionContext)
    on_last_disconnect: DisconnectPolicy = DisconnectPolicy.TERMINATE

    def options(self) -> dict[str, object]:
        """As it is kept with the run; the URL is left out, since it may hold a secret and the history has it."""
        return {
            "headless": self.headless,
            "from": self.source,
            "ephemeral": self.ephemeral,
            "context": self.context.model_dump(mode="json", exclude_defaults=True),
            "onLastDisconnect": str(self.on_last_disconnect),
        }


def saves_nothing(options: Mapping[str, object]) -> bool:
    """Whether the wish that was kept as `options` was for a session of which nothing is saved."""
    return options.get("ephemeral") is True
