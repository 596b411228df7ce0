"""What can go wrong in an agent, as one tree.

AgentError            carries a code of `podium_protocol.errors`, a sentence and details; the edge renders it once
├── CdpError          Chromium answered a command with an error
├── CdpTimeout        Chromium did not answer a command in time
├── PageClosed        the page of an operation went away under it
└── CdpClosed         the connection to Chromium is gone
"""

from typing import Any

from podium_protocol.errors import AgentErrorCode

__all__ = ["AgentError", "CdpClosed", "CdpError", "CdpTimeout", "PageClosed"]


class AgentError(Exception):
    """A refusal or failure that a caller can act on."""

    def __init__(self, code: AgentErrorCode, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


class CdpError(AgentError):
    """The browser said no; `cdp_code` is the JSON-RPC code, -32601 for an unknown method."""

    def __init__(self, method: str, cdp_code: int, message: str) -> None:
        super().__init__(AgentErrorCode.BROWSER_ERROR, f"{method}: {message}")
        self.cdp_code = cdp_code


class CdpTimeout(AgentError):
    """A command was not answered within its limit (seconds)."""

    def __init__(self, method: str, limit: float) -> None:
        super().__init__(AgentErrorCode.TIMEOUT, f"the browser did not answer {method} within {limit:g} s")


class PageClosed(AgentError):
    """There is nothing any more to do it to; where no page was named, the one that is seen now may be meant."""

    def __init__(self, **details: Any) -> None:
        super().__init__(AgentErrorCode.PAGE_NOT_FOUND, "the page was closed", **details)


class CdpClosed(AgentError):
    """No command can be answered any more."""

    def __init__(self, method: str) -> None:
        super().__init__(AgentErrorCode.BROWSER_GONE, f"the browser went away before it answered {method}")
