"""A provisioner without browsers, and agents that answer as a test tells them; for what lies between the port and the faces."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

from podium_gateway.agents import AgentClient, Reply
from podium_gateway.errors import PodiumError
from podium_gateway.provision.port import OnEnded, Place, RunEnded, RunKey, RunRequest, StartFailed
from podium_protocol.operations import DismissedDialog, Navigate
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import AgentStatus, AttachRequest, Connections, SandboxState
from podium_protocol.signing import RequestSigner
from podium_system.splice import Target

JPEG = b"\xff\xd8jpeg"
ANSWERS: dict[str, Any] = {
    "navigate": {"page": "P1", "frame_id": "F1", "url": "", "status": 200},
    "action": {"kind": "click", "page": "P1", "url": "https://shop.example/next"},
    "location": {"latitude": 1.5, "longitude": -2.5, "accuracy": 100},
    "tree": {
        "url": "https://shop.example/",
        "title": "Shop",
        "nodes": [
            {"ref": "e0", "role": "button", "name": "Submit", "depth": 2},
            {"ref": "e1", "role": "textbox", "name": "Email", "depth": 2, "value": ""},
        ],
    },
    "text": {"url": "https://shop.example/", "title": "Shop", "text": "menu article footer"},
    "html": b"<!DOCTYPE html><p>here",
    "page-size": {"width": 1920, "height": 3840},
    "screenshot": JPEG,
    "image": JPEG,
}
"""What an agent answers to each operation."""


class FakeAgent(AgentClient):
    """Remembers what it was asked; `refuse` makes the next calls fail."""

    def __init__(self, target: Target | None = None) -> None:
        signer = RequestSigner(Ed25519PrivateKey.generate(), "test")
        super().__init__(target or Target(socket="/nowhere"), audience="an-agent", signer=signer)
        self.attached: AttachRequest | None = None
        self.pings = 0
        self.saves = 0
        self.departures = 0
        self.on_save: Callable[[], Awaitable[None]] | None = None
        self.asked: list[tuple[str, BaseModel]] = []
        self.answers: dict[str, Any] = {}
        """Other answers than the usual ones, by operation."""
        self.dialogs: tuple[DismissedDialog, ...] = ()
        """What was in the way of operations."""
        self.hold: asyncio.Event | None = None
        """Operations wait for it."""
        self.refuse: PodiumError | None = None
        self.says: dict[str, Any] = {}
        """What `status` says beyond what was attached."""
        self.silent = False
        """`status` never answers."""

    def _may(self) -> None:
        if self.refuse is not None:
            raise self.refuse

    async def attach(self, request: AttachRequest) -> AgentStatus:
        self._may()
        self.attached = request
        return self._status(request)

    async def status(self) -> AgentStatus:
        if self.silent:
            await asyncio.Event().wait()
        self._may()
        assert self.attached is not None
        return self._status(self.attached).model_copy(update=self.says)

    def _status(self, request: AttachRequest) -> AgentStatus:
        return AgentStatus(
            session_uid="u",
            run=1,
            attached=True,
            headless=False,
            browser="Chrome/1",
            sandbox=SandboxState(enabled=True, detail="as /proc says"),
            connections=Connections(),
            idle_seconds=0,
            url=request.start_url or "about:blank",
            title="",
        )

    async def ping(self) -> None:
        self._may()
        self.pings += 1

    async def client_left(self) -> None:
        self._may()
        self.departures += 1

    async def save(self, *, timeout: float = 5.0) -> None:
        self._may()
        self.saves += 1
        if self.on_save is not None:
            await self.on_save()

    async def operate(self, name: str, request: BaseModel, *, limit: float) -> Reply:
        self.asked.append((name, request))
        if self.hold is not None:
            await self.hold.wait()
        self._may()
        answer = self.answers.get(name, ANSWERS[name])
        if isinstance(answer, bytes):
            return Reply(answer, mime="text/html" if name == "html" else "image/jpeg", dialogs=self.dialogs)
        body = {**answer, "url": request.url} if isinstance(request, Navigate) else answer
        return Reply(json.dumps(body).encode(), mime="application/json", dialogs=self.dialogs)

    @property
    def navigated(self) -> list[Navigate]:
        """Where it was told to go."""
        return [request for _, request in self.asked if isinstance(request, Navigate)]


@dataclass
class FakeProvisioner:
    """Gives an agent at once, unless `hold` is cleared; ends when asked or when a test says so (`die`)."""

    agents: dict[RunKey, FakeAgent] = field(default_factory=dict)
    requests: list[RunRequest] = field(default_factory=list)
    ends: list[tuple[RunKey, EndReason]] = field(default_factory=list)
    fails: StartFailed | None = None
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: creating waits."""
    target: Target | None = None
    make: Callable[[], FakeAgent] = FakeAgent
    handed_over: list[RunKey] = field(default_factory=list)
    outlives: bool = False
    refuses: PodiumError | None = None
    """No order is taken."""
    left: dict[RunKey, FakeAgent | StartFailed] = field(default_factory=dict)
    """What an earlier gateway's runs have come to."""
    looked: list[RunKey] = field(default_factory=list)
    strays: list[RunKey] = field(default_factory=list)
    _on_ended: OnEnded = lambda ended: None
    _starting: dict[RunKey, "asyncio.Future[None]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hold.set()

    def ready(self) -> bool:
        return True

    async def order(self, request: RunRequest) -> None:
        if self.refuses is not None:
            raise self.refuses

    async def adopt(self, request: RunRequest) -> Place:
        await self.hold.wait()
        left = self.left.pop(request.key, None)
        if isinstance(left, FakeAgent):
            self.agents[request.key] = left
            return Place(left, launch="warm", node="there", headless=False)
        raise left or StartFailed(EndReason.NODE_LOST, "nothing was left of it")

    async def look(self, key: RunKey) -> None:
        self.looked.append(key)

    def unknown(self) -> Collection[RunKey]:
        return list(self.strays)

    async def create(self, request: RunRequest) -> Place:
        self.requests.append(request)
        stopped = self._starting[request.key] = asyncio.get_running_loop().create_future()
        held = asyncio.ensure_future(self.hold.wait())
        try:
            await asyncio.wait({held, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            held.cancel()
            del self._starting[request.key]
        if stopped.done():
            stopped.result()
        if self.fails is not None:
            raise self.fails
        agent = self.agents[request.key] = self.make()
        return Place(agent, launch="warm", node="here", headless=False)

    async def end(self, key: RunKey, *, reason: EndReason, message: str = "") -> None:
        self.ends.append((key, reason))
        if (starting := self._starting.get(key)) is not None:
            starting.set_exception(StartFailed(reason, message))
        else:
            self.die(key, reason, message)

    def die(self, key: RunKey, reason: EndReason, message: str = "") -> None:
        """The run is gone."""
        if self.agents.pop(key, None) is not None:
            self._on_ended(RunEnded(key, reason, message))

    def attached(self, key: RunKey) -> None:
        self.handed_over.append(key)

    def subscribe(self, on_ended: OnEnded) -> None:
        self._on_ended = on_ended

    def warm(self) -> int:
        return 1

    def hurry(self) -> None:
        pass

    async def close(self) -> None:
        for key in list(self.agents):
            self.die(key, EndReason.EVICTED)
