"""The three things the operator says to an agent: be this session's, show this page, end. Signed; each over its own connection.

An agent hears from the operator twice in its life, so there is nothing to pool; a request this way costs a tenth of what a
general HTTP client's does.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from podium_crds.pools import BrowserPool
from podium_crds.sessions import BrowserSession
from podium_operator.records import PodRecord
from podium_operator.statuses import Bound
from podium_protocol.errors import AgentErrorBody, AgentErrorCode
from podium_protocol.reasons import EndReason
from podium_protocol.sessions import (
    AgentStatus,
    AttachRequest,
    BindRequest,
    DisconnectPolicy,
    EndRequest,
    SessionContext,
    Viewport,
)
from podium_protocol.signing import RequestSigner, SignedFor

__all__ = ["AgentRefused", "AgentUnreachable", "Agents"]

LARGEST: Final = 64 << 10
"""Bytes of an answer's head, and of its body; a status is under 2 KiB."""
UNREADABLE: Final = (OSError, TimeoutError, ValueError, EOFError, asyncio.LimitOverrunError, RecursionError)
"""What a connection or an answer may come to. A pod's agent is no part of this process: it may send anything, or nothing."""
_STATUS_LINE: Final = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)", re.ASCII)
_LENGTH: Final = re.compile(r"[0-9]{1,6}", re.ASCII)


class AgentUnreachable(Exception):
    """No answer, or none that can be read. It may do better later."""


class AgentRefused(Exception):
    """The agent answered no; `code` is its word."""

    def __init__(self, code: AgentErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def for_good(self) -> bool:
        """Whether it is another session's, or does not know our key: asking again is in vain."""
        return self.code in (AgentErrorCode.ALREADY_BOUND, AgentErrorCode.WRONG_SESSION, AgentErrorCode.BAD_SIGNATURE)


class Agents:
    """Every agent of a cluster. `address` is a URL with `{ip}` and `{port}` in it, or one that stands for all."""

    def __init__(
        self, signer: RequestSigner, *, address: str, port: int, timeout: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._signer = signer
        self._address = address
        self._port = port
        self._timeout = timeout
        self._clock = clock

    async def bind(self, pod: PodRecord, session: BrowserSession, pool: BrowserPool) -> Bound:
        """Make the pod's agent the session's; twice is as good as once.

        A session that no gateway knows of is attached too, with what its spec says of the browser.
        """
        idle = float(min(session.spec.idle_timeout_seconds, pool.spec.limits.max_idle_timeout_seconds))
        subject = SignedFor(session_uid=session.agent_uid, run=session.spec.run)
        bind = BindRequest(session_uid=subject.session_uid, run=subject.run, idle_timeout=idle)
        answer = await self._ask(pod, subject, "POST", "/bind", bind)
        if session.spec.session_uid is None:
            await self._ask(pod, subject, "POST", "/attach", _attach(session, idle))
        try:
            return Bound(pod.uid, port=self._port, sandbox=AgentStatus.model_validate(answer).sandbox)
        except ValidationError as error:
            raise AgentUnreachable("the agent's status cannot be read") from error

    async def ready(self, pod: PodRecord) -> bool:
        """Whether it says that it can be bound; one that starts lets the question wait until it can, or is not there yet."""
        try:
            async with asyncio.timeout(self._timeout):
                status, _ = await _exchange(self._url(pod), "GET", "/healthz")
        except UNREADABLE:
            return False
        return status == 200

    async def end(self, pod: PodRecord, session: BrowserSession, *, reason: EndReason, message: str) -> None:
        """Ask the agent to save, close its browser and exit."""
        subject = SignedFor(session_uid=session.agent_uid, run=session.spec.run)
        await self._ask(pod, subject, "POST", "/end", EndRequest(reason=reason, message=message))

    async def _ask(self, pod: PodRecord, subject: SignedFor, method: str, path: str, request: BaseModel | None = None) -> Any:
        body = b"" if request is None else request.model_dump_json().encode()
        credential = self._signer.authorization(method, path, body, subject=subject, audience=pod.uid, now=self._clock())
        try:
            async with asyncio.timeout(self._timeout):
                status, answer = await _exchange(self._url(pod), method, path, body, credential)
                parsed = _parsed(answer)
        except UNREADABLE as error:
            raise AgentUnreachable(f"the agent of {pod.name} does not answer: {_cause(error)}") from error
        if not 200 <= status < 300:
            raise _refusal(status, parsed)
        return parsed

    def _url(self, pod: PodRecord) -> str:
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        return self._address.format(ip=host, port=self._port, pod=pod.name)


def _attach(session: BrowserSession, idle: float) -> AttachRequest:
    wanted = session.spec.browser
    viewport = None if wanted.viewport is None else Viewport(width=wanted.viewport.width, height=wanted.viewport.height)
    return AttachRequest(
        context=SessionContext(viewport=viewport, locale=wanted.locale, timezone_id=wanted.timezone),
        save=False,
        start_url=wanted.start_url,
        idle_timeout=idle,
        # Somebody with kubectl comes and goes; the session is theirs until they delete it or leave it idle.
        on_last_disconnect=DisconnectPolicy.KEEP,
    )


def _refusal(status: int, answer: Any) -> AgentRefused | AgentUnreachable:
    try:
        body = AgentErrorBody.model_validate(answer)
    except ValidationError:
        return AgentUnreachable(f"the agent answered {status}")
    return AgentRefused(body.code, body.message)


async def _exchange(url: str, method: str, path: str, body: bytes = b"", credential: str = "") -> tuple[int, bytes]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=LARGEST)
    try:
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: {parts.netloc}",
            *([f"Authorization: {credential}"] if credential else []),
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return await _answer(reader)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    if (found := _STATUS_LINE.match(first)) is None:
        raise ValueError("it does not speak HTTP")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    length = headers.get("content-length", "")
    # Agents always say how long an answer is; 6 digits are more than any may have.
    if "transfer-encoding" in headers or not _LENGTH.fullmatch(length) or int(length) > LARGEST:
        raise ValueError("an answer of a kind that agents do not give")
    return int(found[1]), await reader.readexactly(int(length))


def _parsed(answer: bytes) -> Any:
    parsed = json.loads(answer)
    json.dumps(parsed, ensure_ascii=False).encode()  # JSON may spell half a character, which no API server keeps as it is
    return parsed


def _cause(error: BaseException) -> str:
    """A sentence of ours about what went wrong: an agent's own bytes are not repeated in statuses and logs."""
    if isinstance(error, asyncio.LimitOverrunError):
        return "its answer begins with too much"
    if isinstance(error, RecursionError | UnicodeError | json.JSONDecodeError):
        return "its answer is no JSON that can be read"
    return str(error) or type(error).__name__
