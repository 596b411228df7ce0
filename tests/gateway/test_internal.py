"""Where agents report, over a real socket."""

import asyncio
import logging
from pathlib import Path

import httpx
import pytest

from support.gateway import gateway_rig
from support.serving import serving


async def test_a_report_that_breaks_off_is_no_fault_of_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with gateway_rig(tmp_path) as rig:
        live = await rig.running(await rig.caller())
        token = rig.agent(live).attached.destinations.token  # type: ignore[union-attr]
        async with serving(rig.gateway.internal) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            head = f"POST /events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n"
            writer.write(head.encode() + b'{"events":')
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            url = f"http://127.0.0.1:{server.port}/events"
            async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False) as agent:
                again = await agent.post(url, json={"events": [], "connections": {"cdp": 2, "vnc": 0}, "url": None})
            assert again.status_code == 200
            assert live.connections.cdp == 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
