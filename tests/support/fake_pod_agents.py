"""One server that answers for the agent in every pod of the fake cluster: /healthz, /bind, /attach, /status, /end.

It knows by the address that was called which pod is meant, binds each pod to one session for its life, and checks signatures
if it is given keys.
"""

import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any, Self

from aiohttp import web

from podium_protocol.errors import STATUS_OF, AgentErrorCode
from podium_protocol.reasons import EXIT_CODES, EndReason
from podium_protocol.signing import Refused, RequestVerifier
from support.fake_kube_store import Json
from support.fake_kubelet import FakeKubelet


class FakePodAgents:
    """`async with FakePodAgents(kubelet, port=…) as agents`. Port 0 takes a free one, `agents.port` says which."""

    def __init__(self, kubelet: FakeKubelet, *, keys: dict[str, str] | None = None, port: int = 0) -> None:
        self.port = port
        self.bound: dict[str, tuple[str, int]] = {}
        """Uid of a pod -> (session uid, run) that its agent belongs to."""
        self.attached: dict[str, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.deaf: set[str] = set()
        """Names of pods whose agent closes every connection without a word."""
        self.hostile: dict[str, bytes] = {}
        """Name of a pod -> what its agent sends whatever it is asked."""
        self._kubelet = kubelet
        self._keys = keys
        self._verifiers: dict[str, RequestVerifier] = {}
        """By uid of a pod."""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        # All addresses: 127.0.0.0/8 cannot be bound as a whole.
        await web.TCPSite(runner, "0.0.0.0", self.port, backlog=1024).start()
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        pod = self._kubelet.pod_at(request.transport.get_extra_info("sockname")[0])
        if pod is None or pod["metadata"]["name"] in self.deaf:
            request.transport.abort()
            return web.Response(status=499)  # nobody is there to read it
        self.requests[request.path] += 1
        if (said := self.hostile.get(pod["metadata"]["name"])) is not None:
            self.requests[pod["metadata"]["name"]] += 1
            request.transport.write(said)
            request.transport.close()
            return web.Response(status=499)  # it has been answered
        if request.path == "/healthz":
            return web.json_response({}, status=503 if self._kubelet.fate(pod) == "never-ready" else 200)
        body = await request.read()
        if self._keys:
            uid = str(pod["metadata"]["uid"])
            verifier = self._verifiers.setdefault(uid, RequestVerifier(self._keys, audience=uid))
            try:
                authorization = request.headers.get("Authorization", "")
                verifier.verify(authorization, request.method, request.path_qs, now=time.time()).check(body)
            except Refused as error:
                return self._refuse(AgentErrorCode.BAD_SIGNATURE, str(error))
        subject = request.headers.get("Authorization", "").partition(" ")[2].split(".")[1:3]
        return self._answer(request.path, pod, subject, await request.json() if body else {})

    def _answer(self, path: str, pod: Json, subject: list[str], body: dict[str, Any]) -> web.Response:
        uid = str(pod["metadata"]["uid"])
        if path == "/bind":
            wanted = (str(body["session_uid"]), int(body["run"]))
            if self.bound.setdefault(uid, wanted) != wanted:
                return self._refuse(AgentErrorCode.ALREADY_BOUND, "this browser belongs to another session")
        owner = self.bound.get(uid)
        if owner is None or [owner[0], str(owner[1])] != subject:
            return self._refuse(AgentErrorCode.WRONG_SESSION, "this browser belongs to another session")
        if path == "/end":
            reason = EndReason(body.get("reason", EndReason.REQUESTED))
            message = f'{{"reason": "{reason}", "message": "as asked"}}'
            self._kubelet.end(
                (pod["metadata"]["namespace"], pod["metadata"]["name"]), code=EXIT_CODES.get(reason, 1), message=message
            )
            return web.json_response({}, status=202)
        if path == "/attach":
            self.attached[uid] = body
        return web.json_response(
            {
                "session_uid": owner[0],
                "run": owner[1],
                "attached": uid in self.attached,
                "headless": True,
                "browser": "Chrome/156.0.0.0",
                "sandbox": {"enabled": True, "detail": "a fake agent's word"},
                "connections": {"cdp": 0, "vnc": 0},
                "idle_seconds": 0.0,
                "url": None,
                "title": None,
                "responsive": True,
            }
        )

    def _refuse(self, code: AgentErrorCode, message: str) -> web.Response:
        self.refused[code] += 1
        return web.json_response({"code": code, "message": message}, status=STATUS_OF[code])
