"""What of a session can be reached from outside, while it is driven and watched."""

import os
from pathlib import Path

import pytest

from support.agent import Agent

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_nothing_of_a_session_listens_where_others_reach_it(agent: Agent):
    """x11vnc listened on [::]:5900, for everybody, where it had only been told to leave the port of IPv4."""
    async with agent.websocket("/vnc", subprotocol="binary"):
        (server,) = agent.below(b"x11vnc")
        listening = {
            (row[1], f"socket:[{row[9]}]")
            for table in ("tcp", "tcp6")
            for row in map(str.split, Path(f"/proc/{server}/net/{table}").read_text().splitlines()[1:])
            if row[3] == "0A"
        }
        for pid in agent.below(b""):
            own = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if os.path.islink(each)}
            ports = {address for address, inode in listening if inode in own}
            assert all(address.startswith("0100007F:") for address in ports), ports
            assert pid != server or not ports
