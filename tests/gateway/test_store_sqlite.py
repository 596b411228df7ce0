"""Connections to an SQLite file: none stays open, whenever the one who asked for it goes away."""

import asyncio
import sqlite3
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from podium_gateway.store.sqlite import Workers


async def test_a_connection_whose_caller_leaves_while_it_opens_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_open, opened = Event(), list[sqlite3.Connection]()
    opening = asyncio.Event()
    loop, connect = asyncio.get_running_loop(), sqlite3.connect
    closed = list[sqlite3.Connection]()

    class Watched(sqlite3.Connection):
        def close(self) -> None:
            closed.append(self)
            super().close()

    def slow(path: str, **options: Any) -> sqlite3.Connection:
        loop.call_soon_threadsafe(opening.set)
        assert may_open.wait(10)
        opened.append(connect(path, factory=Watched, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", slow)
    workers = Workers(str(tmp_path / "podium.db"), busy=1)
    caller = asyncio.create_task(workers.connect())
    await asyncio.wait_for(opening.wait(), 10)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_open.set()
    await workers.ended()
    assert opened
    assert closed == opened
