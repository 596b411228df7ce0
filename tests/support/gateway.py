"""A whole gateway in the test's own loop, on real stores, with a provisioner that has no browsers."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from podium_gateway.assemble import Gateway, assemble
from podium_gateway.auth.caller import EVERYTHING, Caller
from podium_gateway.auth.keys import issue_key
from podium_gateway.faces.context import Parts
from podium_gateway.home import prepare_home
from podium_gateway.placement import Placement
from podium_gateway.provision.port import RunKey
from podium_gateway.sessions.catalog import LiveSession
from podium_gateway.sessions.wishes import Wish
from podium_gateway.settings import Settings
from podium_gateway.store.database import Database
from podium_protocol.sessions import Destinations
from support.places import FakeAgent, FakeProvisioner
from support.store import with_tables


@dataclass
class Rig:
    """The gateway and its hands."""

    gateway: Gateway
    place: FakeProvisioner
    settings: Settings
    database: Database

    @property
    def app(self) -> FastAPI:
        return self.gateway.public

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    async def key(self, name: str) -> str:
        """A new key of a user, made if need be."""
        accounts = self.gateway.accounts
        user = await accounts.get_user(name) or await accounts.add_user(name, now=datetime.now(UTC))
        _, token = await issue_key(accounts, self.gateway.keyring, user.id, name="test", now=datetime.now(UTC))
        return token

    async def caller(self, name: str = "alice") -> Caller:
        """A proven caller."""
        await self.key(name)
        return Caller(name, name, proof="api_key", key_id=f"key-of-{name}", scopes=EVERYTHING)

    @asynccontextmanager
    async def client(self, name: str | None = "alice", **more: Any) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client of a user, or of nobody."""
        headers = {} if name is None else {"authorization": f"Bearer {await self.key(name)}"}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", headers=headers, **more) as client:
            yield client

    async def running(self, caller: Caller, session_id: str = "shop", wish: Wish | None = None) -> LiveSession:
        """A session whose browser is there."""
        live = await self.gateway.sessions.create(caller, wish or Wish(), session_id=session_id)
        await self.gateway.sessions.ready(live)
        return live

    def agent(self, live: LiveSession) -> FakeAgent:
        """The agent of a running session."""
        return self.place.agents[self.key_of(live)]

    @staticmethod
    def key_of(live: LiveSession) -> RunKey:
        assert live.key is not None
        return live.key


def placement(place: FakeProvisioner, inside: Path) -> Placement:
    """Where nothing is."""
    return Placement(
        place,
        node="test",
        machine="here",
        token_secret=b"secret",
        destinations=lambda token: Destinations(url="http://gateway", token=token, socket=str(inside)),
        listen=lambda: socket_at(inside),
    )


def socket_at(path: Path) -> socket.socket:
    """A listener that nobody serves."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    return listener


@asynccontextmanager
async def gateway_rig(folder: Path, **settings: Any) -> AsyncIterator[Rig]:
    """A gateway on a database in `folder`."""
    told = Settings(home=folder / "home", **settings)
    prepare_home(told.home)
    place = FakeProvisioner()
    async with await Database.open(await with_tables(told.database_url)) as database:
        gateway = assemble(told, database, placement(place, folder / "internal.sock"))
        try:
            yield Rig(gateway, place, told, database)
        finally:
            place.hold.set()
            await gateway.sessions.close(limit=5)
            await gateway.runs.close()
