"""The one module that touches `kubernetes.aio`: its configuration, its TLS and credentials, its HTTP client.

The library's typed models cost 1 ms of CPU an object and its `ApiClient` is half typed, so bodies go in and come out as
plain JSON here and nothing else of it is used. A second thing it is for: every failure leaves as one of `errors`.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp.client_proto import ResponseHandler
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from podium_kube.errors import KubeError, Unavailable, error_of
from podium_kube.resources import Json

__all__ = ["Transport", "configuration_from"]

_LOST = (aiohttp.ClientError, TimeoutError, ConnectionError)


class _Connector(aiohttp.TCPConnector):
    """Lets the event loop make its sockets itself.

    aiohttp connects a socket of Python's and hands it to the loop. When that is cancelled at the wrong moment, uvloop closes the
    descriptor and the socket closes it again, by then perhaps somebody else's: a client's connection ends, and every connect
    from then on may fail with "File descriptor ... is used by transport" (MagicStack/uvloop#653).
    """

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: list[Any], req: Any, timeout: aiohttp.ClientTimeout, **options: Any
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        *others, last = (address[:2] for *_, address in addr_infos)
        for host, port in others:
            with contextlib.suppress(aiohttp.ClientConnectorError):
                return await self._wrap_existing_connection(*args, host, port, req=req, timeout=timeout, **options)
        return await self._wrap_existing_connection(*args, *last, req=req, timeout=timeout, **options)


class _Rest(RESTClientObject):
    def _create_connector(self) -> aiohttp.TCPConnector:
        return _Connector(limit=self.maxsize, ssl=self.ssl_context)


async def configuration_from(kubeconfig: Path | None) -> Configuration:
    """Where the API server is and how to prove who asks: a kubeconfig, or with None the pod's own service account.

    The service account's token is read again every minute, so a rotated one is used. Raises `KubeError` with a sentence.
    """
    configuration = Configuration()
    # Python 3.13 refuses certificates without an authority key identifier, which clusters' own authorities often leave out.
    configuration.disable_strict_ssl_verification = True
    try:
        if kubeconfig is None:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        raise KubeError(f"no cluster to talk to: {error}") from error
    return configuration


class Transport:
    """Requests to one API server over at most `connections` connections, watches included."""

    def __init__(self, configuration: Configuration, *, user_agent: str, connections: int = 64) -> None:
        configuration.connection_pool_maxsize = connections
        # Proxies come from the kubeconfig; reading the environment and ~/.netrc for each request is not wanted.
        configuration.client_session_kwargs = {"trust_env": False}
        self._configuration = configuration
        self._rest = _Rest(configuration)
        self._host = str(configuration.host).rstrip("/")
        self._user_agent = user_agent
        self._closed = False

    async def close(self) -> None:
        """Close every connection; requests from now on are `Unavailable`."""
        self._closed = True
        await self._rest.close()

    async def request(
        self, method: str, path: str, *, query: Mapping[str, str], body: object, content_type: str, seconds: float
    ) -> Json:
        """One request and its answer, an object. Raises one of `errors`; `seconds` is the limit for all of it."""
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, 5.0))
        try:
            answer = await self._send(method, path, query=query, body=body, content_type=content_type, timeout=timeout)
            async with answer:
                raw = await answer.read()
        except _LOST as error:
            raise Unavailable(f"{method} {path}: {str(error) or type(error).__name__}") from error
        if answer.status >= 400:
            raise error_of(answer.status, _status_of(raw), retry_after=answer.headers.get("Retry-After", ""))
        return _parsed(raw)

    @asynccontextmanager
    async def lines(
        self, path: str, *, query: Mapping[str, str], seconds: float, silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A GET whose answer is lines without end, for at most `seconds`, and no longer than `silence` without a byte.

        Raises one of `errors`, also from the iteration; an answer that ends ends the iteration.
        """
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=5.0, sock_read=silence)
        try:
            answer = await self._send("GET", path, query=query, body=None, content_type="application/json", timeout=timeout)
        except _LOST as error:
            raise Unavailable(f"watch {path}: {str(error) or type(error).__name__}") from error
        try:
            if answer.status >= 400:
                try:
                    raw = await answer.read()
                except _LOST:
                    raw = b""
                raise error_of(answer.status, _status_of(raw), retry_after=answer.headers.get("Retry-After", ""))
            yield _lines(answer, path)
        finally:
            answer.close()

    async def _send(
        self, method: str, path: str, *, query: Mapping[str, str], body: object, content_type: str, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        if self._closed:
            raise Unavailable(f"{method} {path}: the client is closed")
        headers = {"User-Agent": self._user_agent, "Accept": "application/json", "Content-Type": content_type}
        credential = await self._configuration.get_api_key_with_prefix("BearerToken")
        if credential:
            headers["Authorization"] = credential
        url = f"{self._host}{path}?{urlencode(query)}" if query else f"{self._host}{path}"
        answer = await self._rest.request(method, url, headers=headers, body=body, _request_timeout=timeout)  # type: ignore[no-untyped-call]
        response: aiohttp.ClientResponse = answer.response
        return response


async def _lines(answer: aiohttp.ClientResponse, path: str) -> AsyncIterator[bytes]:
    while True:
        try:
            line = await answer.content.readline()
        except (*_LOST, ValueError) as error:  # ValueError: a line longer than any object may be
            raise Unavailable(f"watch {path}: {str(error) or type(error).__name__}") from error
        if not line:
            return
        yield line


def _parsed(raw: bytes) -> Json:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Unavailable("the API server's answer is not JSON") from error
    if not isinstance(body, dict):
        raise Unavailable("the API server's answer is not an object")
    return body


def _status_of(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        return {"message": raw[:200].decode("utf-8", "replace").strip()}
    return body if isinstance(body, dict) else {}
