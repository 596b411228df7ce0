"""example.com and shop.example on this machine, for browsers that a hosts file leads here: `python -m support.example_site FOLDER`.

It makes a key and a certificate in the folder, brings up the loopback interface of the network namespace it is started in, and
prints `ready` when it listens on 443.
"""

import array
import base64
import fcntl
import hashlib
import socket
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

HOSTS: Final = ("example.com", "shop.example")
PIN: Final = "pin"
"""File with the hash of the key, as Chromium's `--ignore-certificate-errors-spki-list` takes it."""
_PAGE: Final = """<!doctype html><html lang=en><title>Example Domain</title><h1>Example Domain</h1>
<img class=hero alt=Hero width=200 height=100 src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==">
<form onsubmit="return false"><label>Email <input name=email></label> <button class=submit>Submit</button></form>"""
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE)


async def _report(_: Request) -> Response:
    return Response("a,b\n1,2\n", media_type="text/csv", headers={"content-disposition": 'attachment; filename="report.csv"'})


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = array.array("B", struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(one, _SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", request, 16)
        fcntl.ioctl(one, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _certify(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOSTS[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / PIN).write_text(base64.b64encode(hashlib.sha256(spki).digest()).decode())


def main(folder: Path) -> None:
    """Serve until it is stopped."""
    _bring_up_loopback()
    _certify(folder)
    listening = socket.create_server(("127.0.0.1", 443))
    app = Starlette(routes=[Route("/report.csv", _report), Route("/{path:path}", _page)])
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    config = uvicorn.Config(app, lifespan="off", log_config=None, ssl_keyfile=key, ssl_certfile=certificate)
    print("ready", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
