"""The API server as a pod sees it, for a call now and then: HTTPS with the account's token, one connection a call."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Final, Literal

__all__ = ["ACCOUNT", "ApiRefused", "ApiServer"]

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts an account's token and the API server's authority."""
NOT_FOUND: Final = 404
LONGEST: Final = 10.0
"""Seconds one call may take."""
LARGEST: Final = 4 * 1024 * 1024
"""Bytes of an answer that are read; a Node with its images is well below 100 kB."""

Method = Literal["GET", "PATCH", "DELETE"]


class ApiRefused(Exception):
    """The API server answered, and not with a success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class ApiServer:
    """One account's view of the API server at `host`:`port`."""

    def __init__(self, host: str, port: int, *, account: Path = ACCOUNT) -> None:
        self._host = host
        self._port = port
        self._account = account

    def call(self, method: Method, path: str, body: object = None) -> bytes:
        """One request and what was answered; a PATCH is a merge patch. Raises `ApiRefused`, or OSError when there is no answer."""
        headers = {
            # Read each time: the kubelet replaces it before it expires.
            "Authorization": f"Bearer {(self._account / 'token').read_text().strip()}",
            "Accept": "application/json",
            "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json",
        }
        authority = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
        # Python 3.13 refuses certificates without an authority key identifier, which clusters' own authorities often leave out.
        authority.verify_flags &= ~ssl.VERIFY_X509_STRICT
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=LONGEST, context=authority)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            answer = connection.getresponse()
            content = answer.read(LARGEST)
        except http.client.HTTPException as error:
            raise OSError(f"no HTTP answer: {error!r}") from error
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise ApiRefused(answer.status, _message(content))
        return content

    def exists(self, path: str) -> bool:
        """Whether the object is there. Raises like `call`."""
        try:
            self.call("GET", path)
        except ApiRefused as refusal:
            if refusal.status == NOT_FOUND:
                return False
            raise
        return True

    def any(self, path: str) -> bool:
        """Whether a list holds something. Raises like `call`."""
        found = json.loads(self.call("GET", path))
        return bool(found["items"])

    def delete(self, path: str, options: object = None) -> None:
        """Delete; what is gone already is as well. Raises like `call`."""
        try:
            self.call("DELETE", path, options)
        except ApiRefused as refusal:
            if refusal.status != NOT_FOUND:
                raise


def _message(content: bytes) -> str:
    try:
        status = json.loads(content)
        return str(status["message"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace")
