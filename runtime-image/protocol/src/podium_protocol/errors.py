"""How an agent says no: one code per thing a caller can act on, and the HTTP status that carries it.

The gateway turns these into its own error tree and each face renders that.
"""

from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

__all__ = ["STATUS_OF", "AgentErrorBody", "AgentErrorCode"]


class AgentErrorCode(StrEnum):
    """Stable words; messages may change, these may not."""

    INVALID_REQUEST = "invalid_request"
    BAD_SIGNATURE = "bad_signature"
    WRONG_SESSION = "wrong_session"
    """The request names another session or run than the one this agent is bound to."""
    ALREADY_BOUND = "already_bound"
    NOT_ATTACHED = "not_attached"
    NO_SCREEN = "no_screen"
    """A live view was asked of a headless browser, or without an X or VNC server."""
    PAGE_NOT_FOUND = "page_not_found"
    PAGE_CRASHED = "page_crashed"
    ELEMENT_NOT_FOUND = "element_not_found"
    ELEMENT_NOT_USABLE = "element_not_usable"
    """It is there, but hidden, disabled, moving, covered, or not of the right kind."""
    REF_GONE = "ref_gone"
    """A ref of an earlier tree or document."""
    DIALOG_OPEN = "dialog_open"
    NAVIGATION_FAILED = "navigation_failed"
    TIMEOUT = "timeout"
    BROWSER_ERROR = "browser_error"
    BROWSER_GONE = "browser_gone"
    ENDING = "ending"


STATUS_OF: Final[dict[AgentErrorCode, int]] = {
    AgentErrorCode.INVALID_REQUEST: 400,
    AgentErrorCode.BAD_SIGNATURE: 401,
    AgentErrorCode.WRONG_SESSION: 403,
    AgentErrorCode.ALREADY_BOUND: 409,
    AgentErrorCode.NOT_ATTACHED: 409,
    AgentErrorCode.NO_SCREEN: 409,
    AgentErrorCode.PAGE_NOT_FOUND: 404,
    AgentErrorCode.PAGE_CRASHED: 502,
    AgentErrorCode.ELEMENT_NOT_FOUND: 404,
    AgentErrorCode.ELEMENT_NOT_USABLE: 409,
    AgentErrorCode.REF_GONE: 409,
    AgentErrorCode.DIALOG_OPEN: 409,
    AgentErrorCode.NAVIGATION_FAILED: 502,
    AgentErrorCode.TIMEOUT: 504,
    AgentErrorCode.BROWSER_ERROR: 502,
    AgentErrorCode.BROWSER_GONE: 502,
    AgentErrorCode.ENDING: 409,
}


class AgentErrorBody(BaseModel):
    """Body of every non-2xx answer of an agent."""

    code: AgentErrorCode
    message: str
    details: dict[str, Any] = {}
