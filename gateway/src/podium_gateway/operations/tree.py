"""An accessibility tree on its way from the agent to a caller: thousands of nodes that nobody between them looks at.

Reading them into models and writing them again took longer than the page took to make them. So they stay the JSON they came
as; only their number is found out, and that there are any.
"""

from dataclasses import dataclass
from typing import Final, Self

from podium_gateway.errors import BrowserFailed
from podium_protocol.operations import DismissedDialog

__all__ = ["Tree"]

# A quote within a string of JSON is escaped: with its quotes bare, a key is found as a key and nowhere else.
_NODES: Final = b'"nodes":'
_REF: Final = b'"ref":'


@dataclass(frozen=True, slots=True)
class Tree:
    """The nodes of a page, in document order."""

    nodes: bytes
    """A JSON array of `podium_protocol.operations.Node`."""
    count: int
    dialogs: tuple[DismissedDialog, ...] = ()
    """Declined, since they were in its way."""

    @classmethod
    def of(cls, answer: bytes, dialogs: tuple[DismissedDialog, ...] = ()) -> Self:
        """From an `AccessibilityTree` in JSON, whose nodes are its last field. Raises `BrowserFailed`."""
        _, found, rest = answer.partition(_NODES)
        nodes = rest.strip().removesuffix(b"}").strip()
        if not found or not (nodes.startswith(b"[") and nodes.endswith(b"]")):
            raise BrowserFailed("the browser's agent gave an answer that cannot be read")
        return cls(nodes, count=nodes.count(_REF), dialogs=dialogs)
