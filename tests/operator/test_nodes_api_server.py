"""The installer's own small client, against a server with a certificate."""

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from podium_operator.nodes.api_server import ApiRefused, ApiServer

Request = tuple[str, str, str, str | None, object]


class Server(ThreadingHTTPServer):
    """Answers with what is queued, and keeps what was asked."""

    answers: list[tuple[int, bytes]]
    asked: list[Request]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        authorization, kind = self.headers["Authorization"], self.headers["Content-Type"]
        self.server.asked.append((self.command, self.path, authorization, kind, body))
        status, content = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the kubelet mounts; the authority is the server's own certificate, whose key lies beside it."""
    folder = tmp_path_factory.mktemp("account")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "token").write_text("first\n")
    return folder


@pytest.fixture
def server(account: Path) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.asked = [], []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "ca.crt", account / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.fixture
def api(server: Server, account: Path) -> ApiServer:
    return ApiServer("127.0.0.1", server.server_address[1], account=account)


def test_a_patch_carries_the_token_of_the_moment(api: ApiServer, server: Server, account: Path) -> None:
    server.answers += [(200, b"{}"), (200, b"{}")]
    api.call("PATCH", "/api/v1/nodes/n", {"metadata": {"labels": {"a": None}}})
    (account / "token").write_text("second\n")
    api.call("PATCH", "/api/v1/nodes/n", {})
    assert server.asked[0] == (
        "PATCH",
        "/api/v1/nodes/n",
        "Bearer first",
        "application/merge-patch+json",
        {"metadata": {"labels": {"a": None}}},
    )
    assert server.asked[1][2] == "Bearer second"


def test_a_refusal_says_what_the_api_server_said(api: ApiServer, server: Server) -> None:
    server.answers += [(403, b'{"kind": "Status", "message": "nodes \\"n\\" is forbidden"}'), (500, b"oh")]
    with pytest.raises(ApiRefused, match='403: nodes "n" is forbidden') as refused:
        api.call("PATCH", "/api/v1/nodes/n", {})
    assert refused.value.status == 403
    with pytest.raises(ApiRefused, match="500: oh"):
        api.call("GET", "/")


def test_what_is_gone_is_no_failure(api: ApiServer, server: Server) -> None:
    gone = (404, b'{"message": "not found"}')
    server.answers += [gone, gone, (200, b"{}")]
    api.delete("/x", {"propagationPolicy": "Foreground"})
    assert not api.exists("/x")
    assert api.exists("/y")


def test_a_list_may_be_empty(api: ApiServer, server: Server) -> None:
    server.answers += [(200, b'{"items": []}'), (200, b'{"items": [{}]}')]
    assert [api.any("/pods"), api.any("/pods")] == [False, True]


def test_no_answer_is_an_oserror(account: Path, server: Server) -> None:
    stranger = ApiServer("127.0.0.1", 1, account=account)
    with pytest.raises(OSError, match="refused"):
        stranger.call("GET", "/")


def test_a_server_that_the_authority_does_not_know_is_not_spoken_to(server: Server, tmp_path: Path, account: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text(ssl.DER_cert_to_PEM_cert(_another_authority()))
    with pytest.raises(ssl.SSLError):
        ApiServer("127.0.0.1", server.server_address[1], account=tmp_path).call("GET", "/")
    assert server.asked == []


def _another_authority() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(2)
    certificate = builder.not_valid_before(now).not_valid_after(now + timedelta(hours=1)).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.DER)
