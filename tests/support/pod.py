"""A real agent as a pod's container would start it, told by its environment alone, with nobody beside it."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from podium_protocol.reasons import EndReason, reason_of_exit
from podium_protocol.sessions import BindRequest
from podium_protocol.signing import RequestSigner, SignedFor
from support.agent import Agent, agent_folder
from support.receiver import Receiver
from support.waiting import LIMIT, eventually

POD_UID = "0b6f7a52-pod"


@dataclass(slots=True)
class Pod:
    """An agent, and what a kubelet would read when it has ended."""

    agent: Agent
    termination_log: Path
    log: Path

    async def bind(self, *, idle_timeout: float = 300.0) -> httpx.Response:
        """Take it for our session, which is to be used within `idle_timeout` seconds."""
        subject = self.agent.subject
        request = BindRequest(session_uid=subject.session_uid, run=subject.run, idle_timeout=idle_timeout)
        return await self.agent.call("POST", "/bind", request)

    async def healthy(self) -> bool:
        """What its readiness probe finds."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self.agent.http.get("/healthz")).status_code == 200
        return False

    async def over(self, *, limit: float = LIMIT) -> tuple[EndReason, str]:
        """Wait until its container has ended: the reason by its exit code and the message, which have to agree."""
        async with asyncio.timeout(limit):
            code = await self.agent.process.wait()
        written = json.loads(self.termination_log.read_text())
        assert written["reason"] == reason_of_exit(code), self.log.read_text()[-4000:]
        return reason_of_exit(code), written["message"]


@asynccontextmanager
async def pod(*, ready: bool = True, **environment: str) -> AsyncIterator[Pod]:
    """An agent with these settings (`SANDBOX="required"` is PODIUM_SANDBOX); killed after the block if it still runs."""
    signer = RequestSigner(Ed25519PrivateKey.generate(), "pod-key")
    with agent_folder() as folder:
        socket, termination_log, log = folder / "agent.sock", folder / "termination-log", folder / "log"
        settings = {
            "POD_UID": POD_UID,
            "KEYS": f"other=AAAA{'A' * 39}=,{signer.key_id}={signer.public_key()}",
            "LISTEN": f"unix:{socket}",
            "FOLDER": str(folder / "podium" / "session"),
            "TERMINATION_LOG": str(termination_log),
            "DEVTOOLS_PORT": "0",
            "HEADLESS": "true",
            # Chromium takes its own sandbox for root only when it is told to do without.
            "SANDBOX": "off" if os.geteuid() == 0 else "preferred",
            **environment,
        }
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "podium_agent"),
                env=os.environ | {f"PODIUM_{name}": value for name, value in settings.items()},
                stdin=asyncio.subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )
        kind, _, where = settings["LISTEN"].partition(":")
        transport = httpx.AsyncHTTPTransport(uds=where) if kind == "unix" else httpx.AsyncHTTPTransport()
        base = "http://agent" if kind == "unix" else f"http://{where}"
        try:
            async with httpx.AsyncClient(transport=transport, base_url=base, timeout=60) as http:
                subject = SignedFor(session_uid="a-session", run=1)
                session = folder / "podium" / "session"
                agent = Agent(
                    process, socket, session, Receiver(folder / "gateway.sock"), signer, subject, http, settings["POD_UID"]
                )
                running = Pod(agent, termination_log, log)
                if ready:
                    await eventually(running.healthy, what="the agent is healthy")
                yield running
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
