"""Absolute links in answers: from `PODIUM_PUBLIC_URL`, else from the Host that the request came to and the edge allowed."""

from typing import Final
from urllib.parse import quote

from starlette.requests import HTTPConnection

from podium_gateway.faces.context import parts_of

__all__ = ["LINKED", "Links"]

LINKED: Final = "artifacts"
"""First segment of signed links' paths."""


class Links:
    """Links for the caller of one request. None of them holds a key."""

    def __init__(self, connection: HTTPConnection) -> None:
        parts = parts_of(connection)
        self.machine = parts.machine
        """The host to name for a session whose place is not known yet."""
        self._signer = parts.links
        public = parts.settings.public_url
        if public:
            self.base = public
        else:
            scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
            self.base = f"{scheme}://{connection.headers.get('host') or connection.url.netloc}"

    @property
    def sockets(self) -> str:
        """The base for WebSockets."""
        return "ws" + self.base.removeprefix("http")

    def devtools(self, session_id: str) -> str:
        """The browser-level DevTools socket."""
        return f"{self.sockets}/ws/{quote(session_id)}?mode=browser"

    def live(self, user_id: str, session_id: str) -> str:
        """The page that shows the session's screen."""
        return f"{self.base}/users/{quote(user_id)}/vnc/{quote(session_id)}"

    def signed(self, session_uid: str, artifact_id: str, *, expires: int) -> str:
        """An artifact's bytes, for whoever has the link, until that second since 1970."""
        path = (LINKED, session_uid, artifact_id)
        signature = self._signer.signature(path, expires=expires)
        return f"{self.base}/{'/'.join(quote(part, safe='') for part in path)}?expires={expires}&signature={signature}"
