"""A signed HTTP client to one agent.

Every request names the session and run it means and is signed with the gateway's key; agents refuse others. An agent's
refusal becomes our error tree here, so nobody above sees its codes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from podium_gateway.errors import (
    BrowserFailed,
    BrowserGone,
    BrowserTimeout,
    DialogOpen,
    ElementNotFound,
    ElementNotUsable,
    InvalidRequest,
    NavigationFailed,
    NoScreen,
    PageCrashed,
    PageNotFound,
    PodiumError,
    RefGone,
    SessionEnded,
    SessionNotReady,
)
from podium_protocol.errors import AgentErrorBody, AgentErrorCode
from podium_protocol.sessions import AgentStatus, AttachRequest, BindRequest, EndRequest
from podium_protocol.signing import RequestSigner, SignedFor
from podium_system.splice import Target

__all__ = ["AgentClient", "Reply", "error_of"]

_Answer = TypeVar("_Answer", bound=BaseModel)

MARGIN: Final = 5.0
"""Seconds beyond an operation's own limit before we stop waiting for the agent's word on it."""
RESTORE: Final = 20.0
"""Seconds more for an attach: the local storage of 3 origins took 0.3 s, and a state may hold hundreds."""
SAVE_LIMIT: Final = 5.0
"""Seconds for a saved state to be read, sent and stored: 0.5 s with a megabyte of storage."""
MAX_ANSWER: Final = 64 << 20
"""Bytes of one answer: above any picture, and of documents all but the monstrous."""
_NOBODY: Final = SignedFor(session_uid="-", run=0)


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent answered: JSON, HTML or a picture."""

    content: bytes
    mime: str


_ERRORS: Final[dict[AgentErrorCode, type[PodiumError]]] = {
    AgentErrorCode.INVALID_REQUEST: InvalidRequest,
    AgentErrorCode.NOT_ATTACHED: SessionNotReady,
    AgentErrorCode.NO_SCREEN: NoScreen,
    AgentErrorCode.PAGE_NOT_FOUND: PageNotFound,
    AgentErrorCode.PAGE_CRASHED: PageCrashed,
    AgentErrorCode.ELEMENT_NOT_FOUND: ElementNotFound,
    AgentErrorCode.ELEMENT_NOT_USABLE: ElementNotUsable,
    AgentErrorCode.REF_GONE: RefGone,
    AgentErrorCode.DIALOG_OPEN: DialogOpen,
    AgentErrorCode.NAVIGATION_FAILED: NavigationFailed,
    AgentErrorCode.TIMEOUT: BrowserTimeout,
    AgentErrorCode.BROWSER_ERROR: BrowserFailed,
    AgentErrorCode.BROWSER_GONE: BrowserGone,
    AgentErrorCode.ENDING: SessionEnded,
}
# The rest is between gateway and agent: no caller can do anything about a signature.


def error_of(status: int, body: bytes) -> PodiumError:
    """What an agent's refusal means to a caller."""
    try:
        refusal = AgentErrorBody.model_validate_json(body)
    except ValidationError:
        return BrowserFailed(f"the browser's agent answered {status}")
    kind = _ERRORS.get(refusal.code)
    if kind is None:
        return BrowserFailed("the browser's agent refused the request")
    return kind(refusal.message, details=refusal.details)


class AgentClient:
    """Talks to the agent at `target`; `bind` fixes whose requests all later ones are."""

    def __init__(
        self, target: Target, *, signer: RequestSigner, timeout: float = 10.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.target = target
        self._signer = signer
        self._clock = clock
        self._timeout = timeout
        self._subject = _NOBODY
        base = "http://agent" if target.socket is not None else f"http://{target.host}:{target.port}"
        # verify=False only spares loading the CA bundle, 20 ms a client: nothing here speaks TLS.
        transport = httpx.AsyncHTTPTransport(uds=target.socket, verify=False)
        self._http = httpx.AsyncClient(transport=transport, base_url=base, trust_env=False, timeout=timeout)

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._http.aclose()

    def authorization(self, method: str, path: str, body: bytes = b"") -> str:
        """The signed credential for one request to this agent; `path` with its query."""
        return self._signer.authorization(method, path, body, subject=self._subject, now=self._clock())

    async def healthy(self, *, timeout: float) -> bool:
        """Whether the agent answers at all, within `timeout` seconds."""
        try:
            return (await self._http.get("/healthz", timeout=timeout)).is_success
        except httpx.HTTPError:
            return False

    async def bind(self, session_uid: str, run: int) -> None:
        """Make the agent this run's, for good. Raises `PodiumError`."""
        self._subject = SignedFor(session_uid=session_uid, run=run)
        await self._call("POST", "/bind", BindRequest(session_uid=session_uid, run=run))

    async def attach(self, request: AttachRequest) -> AgentStatus:
        """Hand over what makes the browser this caller's. Restoring a saved state takes longer than other answers."""
        return _read(AgentStatus, await self._call("POST", "/attach", request, timeout=self._timeout + RESTORE))

    async def status(self) -> AgentStatus:
        """The agent's view of its browser."""
        return _read(AgentStatus, await self._call("GET", "/status"))

    async def ping(self) -> None:
        """Count as activity."""
        await self._call("POST", "/ping")

    async def operate(self, name: str, request: BaseModel, *, limit: float) -> Reply:
        """Have an operation done that takes at most `limit` seconds by itself; its answer as it came."""
        return await self._call("POST", f"/operations/{name}", request, timeout=limit + MARGIN)

    async def save(self, *, timeout: float = SAVE_LIMIT) -> None:
        """Have the state saved now; it is stored when this returns."""
        await self._call("POST", "/save", timeout=timeout)

    async def end(self, request: EndRequest, *, timeout: float = 2.0) -> None:
        """Ask for the end; the agent exits after it has saved."""
        await self._call("POST", "/end", request, timeout=timeout)

    async def _call(self, method: str, path: str, message: BaseModel | None = None, *, timeout: float = 10.0) -> Reply:
        body = b"" if message is None else message.model_dump_json(exclude_none=True).encode()
        headers = {"authorization": self.authorization(method, path, body)}
        if body:
            headers["content-type"] = "application/json"
        try:
            async with self._http.stream(method, path, content=body, headers=headers, timeout=timeout) as answer:
                content = await _whole(answer)
        except httpx.TimeoutException as error:
            raise BrowserTimeout("the browser's agent did not answer in time") from error
        except httpx.HTTPError as error:
            raise BrowserGone("the browser's agent cannot be reached") from error
        except RuntimeError as error:  # httpx's word for a client that was closed, as it is once its agent has ended
            if not self._http.is_closed:
                raise
            raise BrowserGone("the browser's agent has ended") from error
        if not answer.is_success:
            raise error_of(answer.status_code, content)
        return Reply(content, mime=answer.headers.get("content-type", ""))


async def _whole(answer: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > MAX_ANSWER:
            raise BrowserFailed("the page is too large to be read")
        parts.append(part)
    return b"".join(parts)


def _read(model: type[_Answer], answer: Reply) -> _Answer:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise BrowserFailed("the browser's agent gave an answer that cannot be read") from error
