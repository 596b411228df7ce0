"""Where an agent under test sends what it has: events, saved states and artifacts, kept in lists."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from podium_protocol.events import BatchReceipt, Event, EventBatch
from podium_protocol.sessions import Connections, Destinations
from podium_protocol.state import SavedState
from support.serving import serving

TOKEN = "token-of-the-run"


@dataclass(frozen=True, slots=True)
class Artifact:
    """An uploaded file."""

    id: str
    type: str
    name: str
    content: bytes


@dataclass(slots=True)
class Receiver:
    """What has come so far. Events are stored once by their counter, as the gateway's store does."""

    socket: Path
    events: list[Event] = field(default_factory=list)
    repeated: int = 0
    """Events that came a second time."""
    connections: Connections = field(default_factory=Connections)
    """What the last batch said."""
    url: str | None = None
    """What it said of the active page."""
    states: list[SavedState] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    refuse: int | None = None
    """Answer everything with this status instead."""
    refusal: dict[str, str] = field(default_factory=dict)
    """With these words."""
    lengths: list[str | None] = field(default_factory=list)
    """What uploads said of their length."""
    largest: int | None = None
    """Bytes of the largest batch that is taken."""
    refused: list[str] = field(default_factory=list)
    """Paths of what was answered so."""

    @property
    def destinations(self) -> Destinations:
        """For an attach request."""
        return Destinations(url="http://gateway/runs/1/", token=TOKEN, socket=str(self.socket))

    def of(self, kind: str, /, **data: object) -> list[Event]:
        """Events of a type whose data has these values."""
        return [event for event in self.events if event.type == kind and data.items() <= event.data.items()]

    def texts(self) -> list[str]:
        """What pages wrote to their consoles."""
        return [event.data["text"] for event in self.of("console.message")]

    def app(self) -> Starlette:
        """The endpoint itself."""
        return Starlette(
            routes=[
                Route("/runs/1/events", self._events, methods=["POST"]),
                Route("/runs/1/state", self._state, methods=["PUT"]),
                Route("/runs/1/artifacts/{id}", self._artifact, methods=["PUT"]),
            ]
        )

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({}, 401)
        if self.refuse is not None:
            self.refused.append(request.url.path)
            return JSONResponse(self.refusal, self.refuse)
        return None

    async def _events(self, request: Request) -> Response:
        body = await request.body()
        batch = EventBatch.model_validate_json(body)
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self.largest is not None and len(body) > self.largest:
            return JSONResponse({}, 413)
        self.url = batch.url
        self.connections = batch.connections
        last = self.events[-1].counter if self.events else 0
        fresh = [event for event in batch.events if event.counter > last]
        self.repeated += len(batch.events) - len(fresh)
        self.events += fresh
        receipt = BatchReceipt(accepted=self.events[-1].counter if self.events else 0)
        return JSONResponse(receipt.model_dump())

    async def _state(self, request: Request) -> Response:
        state = SavedState.model_validate_json(await request.body())
        if (refusal := self._refusal(request)) is not None:
            return refusal
        self.states.append(state)
        return JSONResponse({})

    async def _artifact(self, request: Request) -> Response:
        content = await request.body()
        self.lengths.append(request.headers.get("content-length"))
        if (refusal := self._refusal(request)) is not None:
            return refusal
        query: dict[str, Any] = dict(request.query_params)
        self.artifacts.append(Artifact(request.path_params["id"], query["type"], query["name"], content))
        return JSONResponse({})


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[Receiver]:
    """Serve it on its socket until the block ends."""
    async with serving(receiver.app(), path=receiver.socket):
        yield receiver


def end_of(folder: Path) -> dict[str, str]:
    """What an agent wrote about its end, beside its folder."""
    found: dict[str, str] = json.loads(folder.with_name(f"{folder.name}.end.json").read_text())
    return found
