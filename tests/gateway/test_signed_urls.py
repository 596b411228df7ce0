"""Links that need no key: they open the one file they name, for as long as they say, and nothing when anything is changed."""

import base64
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from podium_gateway.auth.signed import FILE, LinkSigner
from podium_gateway.errors import LinkRefused
from support.gateway import Rig, gateway_rig
from support.store import NOW

PATH = ("artifacts", "uid", "object")
SIGNER = LinkSigner(b"k" * 32)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with gateway_rig(tmp_path) as running:
        yield running


@pytest.fixture
async def nobody(rig: Rig) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with rig.client(None) as client:
        yield client


async def link(
    rig: Rig, session: str = "shop", *, mime: str = "image/png", name: str = "a.png", content: bytes = b"picture"
) -> str:
    """The signed link of a new artifact, as the list of artifacts gives it."""
    live = await rig.running(await rig.caller(), session)
    await rig.parts.artifacts.add(live.uid, 1, id="a1", type="screenshot", name=name, mime=mime, content=content, now=NOW)
    async with rig.client() as client:
        [listed] = (await client.get(f"/api/sessions/{session}/artifacts")).json()["artifacts"]
    assert listed["expiresAt"].endswith("Z")
    url: str = listed["publicUrl"]
    return url


async def test_a_link_works_without_a_key(rig: Rig, nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get(await link(rig))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"picture", "image/png")
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["content-length"] == "7"


async def test_a_link_survives_the_session(rig: Rig, nobody: httpx.AsyncClient) -> None:
    url = await link(rig)
    await rig.gateway.sessions.end(rig.gateway.sessions.live(await rig.caller(), "shop"))
    assert (await nobody.get(url)).content == b"picture"


@pytest.mark.parametrize(
    "mime", ["text/html", "image/svg+xml", "application/pdf", "text/plain", "application/octet-stream", "ev\nil"]
)
async def test_what_is_no_picture_is_a_download_in_a_sandbox(rig: Rig, nobody: httpx.AsyncClient, mime: str) -> None:
    answer = await nobody.get(await link(rig, mime=mime, name='x".html', content=b"<script>"))
    assert answer.headers["content-disposition"].startswith("attachment; filename=\"x_.html\"; filename*=UTF-8''x%22.html")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_another_sessions_object_is_refused(rig: Rig, nobody: httpx.AsyncClient) -> None:
    first, second = urlsplit(await link(rig, "one")), urlsplit(await link(rig, "two"))
    assert first.path != second.path
    assert (await nobody.get(f"{second.path}?{first.query}")).status_code == 403


CHANGES = {
    "another object": lambda path, expires, signature: (path.replace("/a1", "/a2"), expires, signature),
    "another session": lambda path, expires, signature: (path.replace("artifacts/", "artifacts/0"), expires, signature),
    "a later end": lambda path, expires, signature: (path, str(int(expires) + 1), signature),
    "an earlier end": lambda path, expires, signature: (path, str(int(expires) - 1), signature),
    "an end with a zero in front": lambda path, expires, signature: (path, "0" + expires, signature),
    "an end with a sign": lambda path, expires, signature: (path, "+" + expires, signature),
    "an end in other digits": lambda path, expires, signature: (path, "١" + expires[1:], signature),
    "an end that is no number": lambda path, expires, signature: (path, "never", signature),
    "a negative end": lambda path, expires, signature: (path, "-1", signature),
    "a signature with another letter": lambda path, expires, signature: (
        path,
        expires,
        ("B" if signature[0] == "A" else "A") + signature[1:],
    ),
    "a signature with padding": lambda path, expires, signature: (path, expires, signature + "="),
    "a signature without its last letter": lambda path, expires, signature: (path, expires, signature[:-1]),
    "a signature in the other alphabet": lambda path, expires, _: (path, expires, "+/" * 21 + "A"),
    "an empty signature": lambda path, expires, _: (path, expires, ""),
    "a signature that is no ASCII": lambda path, expires, _: (path, expires, "é" * 43),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_link_that_was_changed_is_refused(rig: Rig, nobody: httpx.AsyncClient, change: str) -> None:
    url = urlsplit(await link(rig))
    query = parse_qs(url.query)
    path, expires, signature = CHANGES[change](url.path, query["expires"][0], query["signature"][0])
    answer = await nobody.get(path, params={"expires": expires, "signature": signature})
    assert (answer.status_code, answer.json()) == (403, {"detail": LinkRefused.default_message, "code": "link_refused"})


@pytest.mark.parametrize("left", ["expires", "signature"])
async def test_a_link_without_a_part_is_400(rig: Rig, nobody: httpx.AsyncClient, left: str) -> None:
    url = urlsplit(await link(rig))
    answer = await nobody.get(url.path, params={left: parse_qs(url.query)[left][0]})
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith("is required")


async def test_an_expired_link_is_refused_and_says_so(rig: Rig, nobody: httpx.AsyncClient) -> None:
    live = await rig.running(await rig.caller())
    past = int(time.time()) - 5
    path = ("artifacts", live.uid, "a1")
    answer = await nobody.get(
        "/" + "/".join(path), params={"expires": past, "signature": rig.parts.links.signature(path, expires=past)}
    )
    assert answer.status_code == 403
    assert "expired" in answer.json()["detail"]


async def test_a_link_of_another_service_is_refused(rig: Rig, nobody: httpx.AsyncClient) -> None:
    url = urlsplit(await link(rig))
    path = tuple(url.path.strip("/").split("/"))
    signature = SIGNER.signature(path, expires=int(time.time()) + 60)
    assert (await nobody.get(url.path, params={"expires": int(time.time()) + 60, "signature": signature})).status_code == 403


async def test_a_link_whose_file_is_gone_is_404(rig: Rig, nobody: httpx.AsyncClient) -> None:
    later = int(time.time()) + 60
    path = ("artifacts", "nobody", "a1")
    answer = await nobody.get(
        "/" + "/".join(path), params={"expires": later, "signature": rig.parts.links.signature(path, expires=later)}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_not_found")


async def test_links_live_as_long_as_the_setting_says(tmp_path: Path) -> None:
    async with gateway_rig(tmp_path, link_lifetime=60) as rig:
        expires = int(parse_qs(urlsplit(await link(rig)).query)["expires"][0])
    assert 0 < expires - time.time() <= 60


def test_a_signature_is_checked_against_every_part() -> None:
    signature = SIGNER.signature(PATH, expires=100)
    SIGNER.check(PATH, expires="100", signature=signature, now=100)
    for path, expires, now in ((("artifacts", "uid", "objec"), "100", 0), (PATH, "101", 0), (PATH, "100", 101)):
        with pytest.raises(LinkRefused):
            SIGNER.check(path, expires=expires, signature=signature, now=now)


def test_no_two_paths_have_the_same_signature() -> None:
    paths = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("a\n1:b", "c"), ("a", "b\nc")]
    assert len({SIGNER.signature(path, expires=1) for path in paths}) == len(paths)
    assert len(base64.urlsafe_b64decode(SIGNER.signature(PATH, expires=1) + "=")) == 32


def test_the_key_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    first = LinkSigner.open(tmp_path).signature(PATH, expires=1)
    assert LinkSigner.open(tmp_path).signature(PATH, expires=1) == first
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    assert LinkSigner.open(other).signature(PATH, expires=1) != first
