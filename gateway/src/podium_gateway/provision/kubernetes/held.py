"""What this process holds of a run: who waits for it, its agent, and the end that was asked for."""

import asyncio
from dataclasses import dataclass, field

from podium_gateway.agents import AgentClient
from podium_gateway.provision.port import RunKey
from podium_protocol.reasons import EndReason

__all__ = ["Held"]


@dataclass(slots=True, eq=False)
class Held:
    """One run, from its order (or adoption) to its end."""

    key: RunKey
    name: str
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its BrowserSession changed, or its end was asked for."""
    agent: AgentClient | None = None
    """Once it has its place; from then on its end is told to whoever subscribed."""
    wish: tuple[EndReason, str] | None = None
    """The end that was asked for."""
    ending: "asyncio.Task[None] | None" = None
    missing: bool = False
    """The API server was asked, and has no such BrowserSession."""
    looked: float = float("-inf")
    """When the API server was last asked, on the loop's clock."""
