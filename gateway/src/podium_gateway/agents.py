"""A signed HTTP client to one agent.

Every request names the session and run it means and is signed with the gateway's key, for that agent and for one time; agents
refuse others. An agent's refusal becomes our error tree here, so nobody above sees its codes.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

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
from podium_gateway.origin import AnswerTooLarge, Origin
from podium_protocol.errors import AgentErrorBody, AgentErrorCode
from podium_protocol.operations import DialogsDismissed, DismissedDialog
from podium_protocol.sessions import AgentStatus, AttachRequest, BindRequest, EndRequest
from podium_protocol.signing import RequestSigner, SignedFor
from podium_system.splice import Target

__all__ = ["AgentClient", "Reply", "error_of"]

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer", bound=BaseModel)

MARGIN: Final = 5.0
"""Seconds beyond an operation's own limit before we stop waiting for the agent's word on it."""
RESTORE: Final = 50.0
"""Seconds more for an attach: the local storage of 3 origins took 0.3 s, and a state may hold hundreds. A browser
that waited for a core has needed more than 10 s for what takes 0.1 s."""
SAVE_LIMIT: Final = 5.0
"""Seconds for a saved state to be read, sent and stored: 0.5 s with a megabyte of storage."""
MAX_ANSWER: Final = 64 << 20
"""Bytes of one answer: above any picture, and of documents all but the monstrous."""
EXPLANATION: Final = 500
"""Characters of an agent's words that are logged: it may be somebody else's."""
_ONCE: Final = frozenset({"navigate", "action"})
"""Operations that must not be done twice; the others read, or set what is then set."""
_NOBODY: Final = SignedFor(session_uid="-", run=0)


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent answered: JSON, HTML or a picture."""

    content: bytes
    mime: str
    dialogs: tuple[DismissedDialog, ...] = ()
    """What was declined because it was in an operation's way."""


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
    # Addresses of pods are used again: somebody else's browser answers where this session's was, to whom nothing was signed.
    AgentErrorCode.BAD_SIGNATURE: BrowserGone,
    AgentErrorCode.WRONG_SESSION: BrowserGone,
    AgentErrorCode.ALREADY_BOUND: BrowserGone,
}
_OURS: Final = frozenset({AgentErrorCode.WRONG_SESSION, AgentErrorCode.ALREADY_BOUND, AgentErrorCode.BAD_SIGNATURE})
"""Refusals whose words are for us and not for a caller."""


def error_of(status: int, body: bytes, *, subject: SignedFor = _NOBODY) -> PodiumError:
    """What an agent's refusal means to a caller. One whose words are for us, of a request signed for `subject`, is logged."""
    try:
        refusal = AgentErrorBody.model_validate_json(body)
    except ValidationError:
        return BrowserFailed(f"the browser's agent answered {status}")
    kind = _ERRORS[refusal.code]
    if refusal.code in _OURS:
        words = {"code": str(refusal.code), "explanation": refusal.message[:EXPLANATION]}
        log.warning("agent_refused", extra=words | {"session_uid": subject.session_uid, "run": subject.run})
        return kind()
    return kind(refusal.message, details=refusal.details)


class AgentClient:
    """Talks to the agent at `target`; `bind` fixes whose requests all later ones are."""

    def __init__(
        self,
        target: Target,
        *,
        audience: str,
        signer: RequestSigner,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`audience`: the one agent that may take what is signed here (`podium_protocol.signing`)."""
        self.target = target
        self._audience = audience
        self._signer = signer
        self._clock = clock
        self._timeout = timeout
        self.subject = _NOBODY
        """Whose requests these are."""
        self._origin = Origin(target, max_answer=MAX_ANSWER)

    async def close(self) -> None:
        """Close the kept connections; what is under way fails."""
        self._origin.close()

    def authorization(self, method: str, path: str, body: bytes = b"") -> str:
        """The signed credential for one request to this agent, which takes it once; `path` with its query."""
        return self._signer.authorization(method, path, body, subject=self.subject, audience=self._audience, now=self._clock())

    async def reachable(self, *, timeout: float) -> bool:
        """Whether the agent answers at all, within `timeout` seconds, be it only that it is about to end."""
        try:
            await self._origin.send("GET", "/healthz", limit=timeout, again=True)
        except (OSError, AnswerTooLarge):  # TimeoutError is an OSError
            return False
        return True

    def speak_for(self, session_uid: str, run: int) -> None:
        """Sign for this run from now on, as for an agent that is bound already."""
        self.subject = SignedFor(session_uid=session_uid, run=run)

    async def bind(self, session_uid: str, run: int) -> None:
        """Make the agent this run's, for good. Raises `PodiumError`."""
        self.speak_for(session_uid, run)
        await self._call("POST", "/bind", BindRequest(session_uid=session_uid, run=run))

    async def attach(self, request: AttachRequest) -> AgentStatus:
        """Hand over what makes the browser this caller's. Restoring a saved state takes longer than other answers."""
        return _read(AgentStatus, await self._call("POST", "/attach", request, timeout=self._timeout + RESTORE, again=False))

    async def status(self) -> AgentStatus:
        """The agent's view of its browser."""
        return _read(AgentStatus, await self._call("GET", "/status"))

    async def ping(self) -> None:
        """Count as activity."""
        await self._call("POST", "/ping")

    async def client_left(self) -> None:
        """Say that a DevTools connection ended because its client left, and not because this gateway did."""
        await self._call("POST", "/left", again=False)

    async def operate(self, name: str, request: BaseModel, *, limit: float) -> Reply:
        """Have an operation done that takes at most `limit` seconds by itself; its answer as it came."""
        again = name not in _ONCE
        return await self._call("POST", f"/operations/{name}", request, timeout=limit + MARGIN, again=again)

    async def save(self, *, timeout: float = SAVE_LIMIT) -> None:
        """Have the state saved now; it is stored when this returns."""
        await self._call("POST", "/save", timeout=timeout)

    async def end(self, request: EndRequest, *, timeout: float = 2.0) -> None:
        """Ask for the end; the agent exits after it has saved."""
        await self._call("POST", "/end", request, timeout=timeout)

    async def _call(
        self, method: str, path: str, message: BaseModel | None = None, *, timeout: float = 10.0, again: bool = True
    ) -> Reply:
        body = b"" if message is None else message.model_dump_json(exclude_none=True).encode()

        def headers() -> list[tuple[str, str]]:
            kind = [("content-type", "application/json")] if body else []
            return [("authorization", self.authorization(method, path, body)), *kind]

        try:
            answer = await self._origin.send(method, path, headers=headers, body=body, limit=timeout, again=again)
        except TimeoutError as error:
            raise BrowserTimeout("the browser's agent did not answer in time") from error
        except OSError as error:
            raise BrowserGone("the browser's agent cannot be reached") from error
        except AnswerTooLarge as error:
            raise BrowserFailed("the page is too large to be read") from error
        if answer.status // 100 != 2:
            raise error_of(answer.status, answer.content, subject=self.subject)
        return Reply(answer.content, mime=answer.mime, dialogs=_dialogs(answer.dialogs))


def _dialogs(header: bytes) -> tuple[DismissedDialog, ...]:
    try:
        return tuple(DialogsDismissed.validate_json(header)) if header else ()
    except ValidationError as error:
        raise BrowserFailed("the browser's agent gave an answer that cannot be read") from error


def _read(model: type[_Answer], answer: Reply) -> _Answer:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise BrowserFailed("the browser's agent gave an answer that cannot be read") from error
