"""Absolute links in answers: from `PODIUM_PUBLIC_URL`, else from the Host that the request came to and the edge allowed."""

from urllib.parse import quote

from starlette.requests import HTTPConnection

from podium_gateway.faces.context import parts_of

__all__ = ["Links"]


class Links:
    """Links for the caller of one request. None of them holds a token."""

    def __init__(self, connection: HTTPConnection) -> None:
        public = parts_of(connection).settings.public_url
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

    def artifact(self, session_id: str, artifact_id: str) -> str:
        """An artifact's bytes."""
        return f"{self.base}/api/sessions/{quote(session_id)}/artifacts/{quote(artifact_id)}"
