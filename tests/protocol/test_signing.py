"""The signature over a routed request: what it covers, and every way it is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from podium_protocol.signing import LIFETIME, SCHEME, Refused, RequestSigner, RequestVerifier, SignedFor

NOW = 1_800_000_000.5
SUBJECT = SignedFor(session_uid="5b6f3d1e", run=3)
METHOD, PATH, BODY = "POST", "/operations/navigate?wait=load", b'{"url":"https://example.com"}'


def a_signer(key_id: str = "gateway-a", *, seed: int = 1) -> RequestSigner:
    return RequestSigner(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), key_id)


def a_verifier(*signers: RequestSigner) -> RequestVerifier:
    return RequestVerifier({signer.key_id: signer.public_key() for signer in signers})


def signed(signer: RequestSigner | None = None, *, subject: SignedFor = SUBJECT, now: float = NOW) -> str:
    return (signer or a_signer()).authorization(METHOD, PATH, BODY, subject=subject, now=now)


def with_part(credential: str, index: int, value: str) -> str:
    """The credential with one of its five parts replaced."""
    scheme, _, rest = credential.partition(" ")
    parts = rest.split(".")
    parts[index] = value
    return f"{scheme} {'.'.join(parts)}"


def test_a_valid_signature_says_whom_the_request_is_for():
    assert a_verifier(a_signer()).verify(signed(), METHOD, PATH, BODY, now=NOW) == SUBJECT


def test_an_upgrade_is_signed_over_an_empty_body():
    credential = a_signer().authorization("GET", "/cdp", subject=SUBJECT, now=NOW)
    assert a_verifier(a_signer()).verify(credential, "GET", "/cdp", now=NOW) == SUBJECT


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", PATH, BODY, id="another method"),
        pytest.param(METHOD, "/end?wait=load", BODY, id="another path"),
        pytest.param(METHOD, "/operations/navigate", BODY, id="the query left out"),
        pytest.param(METHOD, "/operations/navigate?wait=none", BODY, id="another query"),
        pytest.param(METHOD, PATH, b'{"url":"https://example.org"}', id="another body"),
        pytest.param(METHOD, PATH, b"", id="no body"),
        pytest.param(METHOD + "\n" + PATH, "", BODY, id="a line moved between fields"),
    ],
)
def test_a_tampered_request_is_refused(method: str, path: str, body: bytes):
    with pytest.raises(Refused, match="not over this request"):
        a_verifier(a_signer()).verify(signed(), method, path, body, now=NOW)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        pytest.param(1, "another-session", id="another session"),
        pytest.param(2, "4", id="another run of the same session"),
        pytest.param(3, str(int(NOW) + LIFETIME + 30), id="a later expiry"),
        pytest.param(4, base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode(), id="another signature"),
        pytest.param(4, "", id="no signature"),
        pytest.param(4, "AAAA", id="a signature too short"),
        pytest.param(4, "A", id="a signature that is no base64"),
        pytest.param(4, "\u00e4\u00f6", id="a signature that is not ASCII"),
    ],
)
def test_a_tampered_credential_is_refused(index: int, value: str):
    with pytest.raises(Refused, match="not over this request"):
        a_verifier(a_signer()).verify(with_part(signed(), index, value), METHOD, PATH, BODY, now=NOW)


@pytest.mark.parametrize("later", [LIFETIME + 1, LIFETIME * 10, 10**9])
def test_an_expired_signature_is_refused(later: float):
    with pytest.raises(Refused, match="expired"):
        a_verifier(a_signer()).verify(signed(), METHOD, PATH, BODY, now=NOW + later)


@pytest.mark.parametrize("later", [-LIFETIME + 1, 0, LIFETIME / 2, LIFETIME - 1])
def test_a_signature_holds_for_its_lifetime_and_for_clocks_that_differ(later: float):
    assert a_verifier(a_signer()).verify(signed(), METHOD, PATH, BODY, now=NOW + later) == SUBJECT


def test_a_signature_from_far_ahead_is_refused():
    with pytest.raises(Refused, match="expired"):
        a_verifier(a_signer()).verify(signed(now=NOW + 10 * LIFETIME), METHOD, PATH, BODY, now=NOW)


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param("", id="nothing"),
        pytest.param(SCHEME, id="the scheme alone"),
        pytest.param("Bearer a.b.3.4.c", id="another scheme"),
        pytest.param("podium a.b.3.4.c", id="the scheme in lower case"),
        pytest.param(f"{SCHEME} a.b.3.4", id="a part too few"),
        pytest.param(f"{SCHEME} a.b.3.4.c.d", id="a part too many"),
    ],
)
def test_a_credential_of_another_shape_is_refused(credential: str):
    with pytest.raises(Refused, match="signature is required"):
        a_verifier(a_signer()).verify(credential, METHOD, PATH, BODY, now=NOW)


@pytest.mark.parametrize("number", ["", "-1", "1.0", "1e3", "\u0663", "\u00b2", " 3", "0x3"])
@pytest.mark.parametrize("index", [2, 3], ids=["run", "expiry"])
def test_a_run_or_expiry_that_is_no_plain_number_is_refused(index: int, number: str):
    with pytest.raises(Refused):
        a_verifier(a_signer()).verify(with_part(signed(), index, number), METHOD, PATH, BODY, now=NOW)


@pytest.mark.parametrize("index", [2, 3], ids=["run", "expiry"])
def test_a_number_too_long_for_python_to_read_is_refused_like_any_other(index: int):
    with pytest.raises(Refused):
        a_verifier(a_signer()).verify(with_part(signed(), index, "9" * 5000), METHOD, PATH, BODY, now=NOW)


def test_keys_rotate_while_both_are_known():
    old, new = a_signer("2026-11"), a_signer("2026-12", seed=2)
    both = a_verifier(old, new)
    for signer in (old, new):
        assert both.verify(signed(signer), METHOD, PATH, BODY, now=NOW) == SUBJECT


def test_a_key_that_was_taken_away_is_refused():
    old, new = a_signer("2026-11"), a_signer("2026-12", seed=2)
    with pytest.raises(Refused, match="does not know"):
        a_verifier(new).verify(signed(old), METHOD, PATH, BODY, now=NOW)


def test_a_known_key_id_does_not_vouch_for_another_private_key():
    impostor = a_signer("gateway-a", seed=9)
    with pytest.raises(Refused, match="not over this request"):
        a_verifier(a_signer("gateway-a")).verify(signed(impostor), METHOD, PATH, BODY, now=NOW)


def test_the_credential_holds_no_part_of_the_request_in_clear():
    credential = signed()
    assert credential.startswith(f"{SCHEME} gateway-a.{SUBJECT.session_uid}.{SUBJECT.run}.{int(NOW) + LIFETIME}.")
    assert "example.com" not in credential


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!"])
def test_a_verifier_is_not_made_from_what_is_no_key(key: str):
    with pytest.raises(ValueError):  # noqa: PT011 (base64's and cryptography's words differ)
        RequestVerifier({"gateway-a": key})


def test_everybody_who_reads_a_key_file_finds_the_same_id_and_the_same_signer():
    key = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    one, other = RequestSigner.from_pem(pem), RequestSigner.from_pem(pem)
    assert one.key_id == other.key_id
    assert len(one.key_id) == 16
    assert a_verifier(other).verify(signed(one), METHOD, PATH, BODY, now=NOW) == SUBJECT


def test_a_key_of_another_kind_is_refused():
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="not an Ed25519"):
        RequestSigner.from_pem(pem)
