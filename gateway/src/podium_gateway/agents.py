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
    InvalidRequest,
    NavigationFailed,
    NoScreen,
    PageCrashed,
    PageNotFound,
    PodiumError,
    SessionEnded,
    SessionNotReady,
)
from podium_protocol.errors import AgentErrorBody, AgentErrorCode
from podium_protocol.operations import Navigate, Navigated, Screenshot
from podium_protocol.sessions import AgentStatus, AttachRequest, BindRequest, EndRequest
from podium_protocol.signing import RequestSigner, SignedFor
from podium_system.splice import Target

__all__ = ["AgentClient", "Image", "error_of"]

_Answer = TypeVar("_Answer", bound=BaseModel)

MARGIN: Final = 5.0
"""Seconds beyond an operation's own limit before we stop waiting for the agent's word on it."""
RESTORE: Final = 20.0
"""Seconds more for an attach: the local storage of 3 origins took 0.3 s, and a state may hold hundreds."""
_NOBODY: Final = SignedFor(session_uid="-", run=0)


@dataclass(frozen=True, slots=True)
class Image:
    """A screenshot's bytes."""

    data: bytes
    mime: str


_ERRORS: Final[dict[AgentErrorCode, type[PodiumError]]] = {
    AgentErrorCode.INVALID_REQUEST: InvalidRequest,
    AgentErrorCode.NOT_ATTACHED: SessionNotReady,
    AgentErrorCode.NO_SCREEN: NoScreen,
    AgentErrorCode.PAGE_NOT_FOUND: PageNotFound,
    AgentErrorCode.PAGE_CRASHED: PageCrashed,
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

    async def navigate(self, request: Navigate) -> Navigated:
        """Load a URL and wait for its load event."""
        answer = await self._call("POST", "/operations/navigate", request, timeout=request.timeout + MARGIN)
        return _read(Navigated, answer)

    async def screenshot(self, request: Screenshot) -> Image:
        """An image of the page."""
        answer = await self._call("POST", "/operations/screenshot", request, timeout=request.timeout + MARGIN)
        return Image(answer.content, mime=answer.headers.get("content-type", f"image/{request.format}"))

    async def end(self, request: EndRequest, *, timeout: float = 2.0) -> None:
        """Ask for the end; the agent exits after it has saved."""
        await self._call("POST", "/end", request, timeout=timeout)

    async def _call(self, method: str, path: str, message: BaseModel | None = None, *, timeout: float = 10.0) -> httpx.Response:
        body = b"" if message is None else message.model_dump_json(exclude_none=True).encode()
        headers = {"authorization": self.authorization(method, path, body)}
        if body:
            headers["content-type"] = "application/json"
        try:
            answer = await self._http.request(method, path, content=body, headers=headers, timeout=timeout or self._timeout)
        except httpx.TimeoutException as error:
            raise BrowserTimeout("the browser's agent did not answer in time") from error
        except httpx.HTTPError as error:
            raise BrowserGone("the browser's agent cannot be reached") from error
        if not answer.is_success:
            raise error_of(answer.status_code, answer.content)
        return answer


def _read(model: type[_Answer], answer: httpx.Response) -> _Answer:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise BrowserFailed("the browser's agent gave an answer that cannot be read") from error
