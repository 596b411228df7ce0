"""The signature over a routed request: what it covers, and every way it is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from podium_protocol.signing import LIFETIME, SCHEME, Claim, Refused, RequestSigner, RequestVerifier, SignedFor

NOW = 1_800_000_000.5
SUBJECT = SignedFor(session_uid="5b6f3d1e", run=3)
POD = "0b6f7a52-3a1c-4c5e-9a53-6f1d2c3b4a5d"
METHOD, PATH, BODY = "POST", "/operations/navigate?wait=load", b'{"url":"https://example.com"}'


def a_signer(key_id: str = "gateway-a", *, seed: int = 1) -> RequestSigner:
    return RequestSigner(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), key_id)


def a_verifier(*signers: RequestSigner, audience: str = POD, most: int = 100) -> RequestVerifier:
    return RequestVerifier({signer.key_id: signer.public_key() for signer in signers}, audience=audience, most=most)


def signed(signer: RequestSigner | None = None, *, subject: SignedFor = SUBJECT, audience: str = POD, now: float = NOW) -> str:
    return (signer or a_signer()).authorization(METHOD, PATH, BODY, subject=subject, audience=audience, now=now)


def checked(
    verifier: RequestVerifier, credential: str, method: str = METHOD, path: str = PATH, body: bytes = BODY, *, now: float = NOW
) -> SignedFor:
    """Whom a whole request is for."""
    claim = verifier.verify(credential, method, path, now=now)
    claim.check(body)
    return claim.subject


def with_part(credential: str, index: int, value: str) -> str:
    """The credential with one of its seven parts replaced."""
    scheme, _, rest = credential.partition(" ")
    parts = rest.split(".")
    parts[index] = value
    return f"{scheme} {'.'.join(parts)}"


def test_a_valid_signature_says_whom_the_request_is_for():
    assert checked(a_verifier(a_signer()), signed()) == SUBJECT


def test_an_upgrade_is_signed_over_an_empty_body():
    credential = a_signer().authorization("GET", "/cdp", subject=SUBJECT, audience=POD, now=NOW)
    assert checked(a_verifier(a_signer()), credential, "GET", "/cdp", b"") == SUBJECT


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
    with pytest.raises(Refused, match="not over this"):
        checked(a_verifier(a_signer()), signed(), method, path, body)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        pytest.param(1, "another-session", id="another session"),
        pytest.param(2, "4", id="another run of the same session"),
        pytest.param(3, str(int(NOW) + LIFETIME + 30), id="a later expiry"),
        pytest.param(4, "AAAAAAAAAAAAAAAAAAAAAA", id="another nonce"),
        pytest.param(4, "", id="no nonce"),
        pytest.param(5, "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", id="the hash of no body"),
        pytest.param(6, base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode(), id="another signature"),
        pytest.param(6, "", id="no signature"),
        pytest.param(6, "AAAA", id="a signature too short"),
        pytest.param(6, "A", id="a signature that is no base64"),
        pytest.param(6, "\u00e4\u00f6", id="a signature that is not ASCII"),
    ],
)
def test_a_tampered_credential_is_refused(index: int, value: str):
    with pytest.raises(Refused, match="not over this request"):
        checked(a_verifier(a_signer()), with_part(signed(), index, value))


@pytest.mark.parametrize("later", [LIFETIME + 1, LIFETIME * 10, 10**9])
def test_an_expired_signature_is_refused(later: float):
    with pytest.raises(Refused, match="expired"):
        checked(a_verifier(a_signer()), signed(), now=NOW + later)


@pytest.mark.parametrize("later", [-LIFETIME + 1, 0, LIFETIME / 2, LIFETIME - 1])
def test_a_signature_holds_for_its_lifetime_and_for_clocks_that_differ(later: float):
    assert checked(a_verifier(a_signer()), signed(), now=NOW + later) == SUBJECT


def test_a_signature_from_far_ahead_is_refused():
    with pytest.raises(Refused, match="expired"):
        checked(a_verifier(a_signer()), signed(now=NOW + 10 * LIFETIME))


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param("", id="nothing"),
        pytest.param(SCHEME, id="the scheme alone"),
        pytest.param("Bearer a.b.3.4.c.d.e", id="another scheme"),
        pytest.param("podium a.b.3.4.c.d.e", id="the scheme in lower case"),
        pytest.param(f"{SCHEME} a.b.3.4.c", id="an earlier form"),
        pytest.param(f"{SCHEME} a.b.3.4.c.d", id="a part too few"),
        pytest.param(f"{SCHEME} a.b.3.4.c.d.e.f", id="a part too many"),
    ],
)
def test_a_credential_of_another_shape_is_refused(credential: str):
    with pytest.raises(Refused, match="signature is required"):
        checked(a_verifier(a_signer()), credential)


@pytest.mark.parametrize("number", ["", "-1", "1.0", "1e3", "\u0663", "\u00b2", " 3", "0x3", "1_0"])
@pytest.mark.parametrize("index", [2, 3], ids=["run", "expiry"])
def test_a_run_or_expiry_that_is_no_plain_number_is_refused(index: int, number: str):
    with pytest.raises(Refused):
        checked(a_verifier(a_signer()), with_part(signed(), index, number))


@pytest.mark.parametrize("index", [2, 3], ids=["run", "expiry"])
def test_a_number_too_long_for_python_to_read_is_refused_like_any_other(index: int):
    with pytest.raises(Refused):
        checked(a_verifier(a_signer()), with_part(signed(), index, "9" * 5000))


def test_keys_rotate_while_both_are_known():
    old, new = a_signer("2026-11"), a_signer("2026-12", seed=2)
    both = a_verifier(old, new)
    for signer in (old, new):
        assert checked(both, signed(signer)) == SUBJECT


def test_a_key_that_was_taken_away_is_refused():
    old, new = a_signer("2026-11"), a_signer("2026-12", seed=2)
    with pytest.raises(Refused, match="does not know"):
        checked(a_verifier(new), signed(old))


def test_a_known_key_id_does_not_vouch_for_another_private_key():
    impostor = a_signer("gateway-a", seed=9)
    with pytest.raises(Refused, match="not over this request"):
        checked(a_verifier(a_signer("gateway-a")), signed(impostor))


def test_the_credential_holds_no_part_of_the_request_in_clear():
    credential = signed()
    assert credential.startswith(f"{SCHEME} gateway-a.{SUBJECT.session_uid}.{SUBJECT.run}.{int(NOW) + LIFETIME}.")
    assert "example.com" not in credential
    assert POD not in credential


def test_everything_but_the_body_is_checked_without_the_body():
    claim = a_verifier(a_signer()).verify(signed(), METHOD, PATH, now=NOW)
    assert isinstance(claim, Claim)
    with pytest.raises(Refused, match="not over this body"):
        claim.check(BODY + b" ")


@pytest.mark.parametrize("number", ["03", "003", "0"])
def test_a_run_has_one_text(number: str):
    with pytest.raises(Refused, match=r"malformed|not over"):
        checked(a_verifier(a_signer()), with_part(signed(), 2, number))


def test_a_signature_for_another_pod_is_refused():
    with pytest.raises(Refused, match="not over this request"):
        checked(a_verifier(a_signer(), audience="another-pod"), signed())


@pytest.mark.parametrize("later", [0, 1, LIFETIME - 1])
def test_a_signature_is_good_once_for_as_long_as_it_lives(later: int):
    verifier, credential = a_verifier(a_signer()), signed()
    checked(verifier, credential)
    for second in range(later + 1):  # requests go on
        checked(verifier, signed(now=NOW + second), now=NOW + second)
    with pytest.raises(Refused, match="used"):
        checked(verifier, credential, now=NOW + later)


def test_a_signature_that_is_spelled_otherwise_is_the_same_one():
    verifier, credential = a_verifier(a_signer()), signed()
    checked(verifier, credential)
    with pytest.raises(Refused, match="used"):
        checked(verifier, credential + "=")


def test_two_requests_that_are_the_same_have_two_signatures():
    verifier = a_verifier(a_signer())
    assert [checked(verifier, signed()) for _ in range(3)] == [SUBJECT] * 3


def test_a_body_of_somebody_elses_making_uses_the_signature_up():
    verifier, credential = a_verifier(a_signer()), signed()
    with pytest.raises(Refused, match="body"):
        checked(verifier, credential, body=b"{}")
    with pytest.raises(Refused, match="used"):
        checked(verifier, credential)


def test_what_is_not_valid_is_not_remembered():
    verifier, impostor = a_verifier(a_signer(), most=2), a_signer(seed=9)
    for _ in range(20):
        with pytest.raises(Refused, match="not over"):
            checked(verifier, signed(impostor))
    assert checked(verifier, signed()) == SUBJECT


def test_beyond_its_bound_a_verifier_takes_the_oldest_for_used_and_refuses_nobody_new():
    verifier = a_verifier(a_signer(), most=5)
    credentials = [signed(now=NOW + second / 2) for second in range(40)]
    for number, credential in enumerate(credentials):
        assert checked(verifier, credential, now=NOW + number / 2) == SUBJECT
        assert verifier._nonces._count <= 5
    for credential in credentials:
        with pytest.raises(Refused, match="used"):
            checked(verifier, credential, now=NOW + 20)


def test_what_has_expired_is_forgotten():
    verifier = a_verifier(a_signer(), most=1000)
    for second in range(300):
        checked(verifier, signed(now=NOW + second), now=NOW + second)
    assert verifier._nonces._count <= LIFETIME + 2


@pytest.mark.parametrize("back", [1, LIFETIME, 3 * LIFETIME])
def test_a_clock_that_is_set_back_opens_no_signature_again(back: int):
    verifier = a_verifier(a_signer())
    credentials = [signed(now=NOW + second) for second in range(3 * LIFETIME)]
    for second, credential in enumerate(credentials):
        checked(verifier, credential, now=NOW + second)
    now = NOW + 3 * LIFETIME - back
    for credential in credentials:
        with pytest.raises(Refused, match=r"used|expired"):
            checked(verifier, credential, now=now)


@pytest.mark.parametrize(("back", "later", "good"), [(30, 0, True), (600, 0, False), (600, 500, False), (600, 600, True)])
def test_clocks_that_are_set_back_far_refuse_until_the_old_time_comes(back: int, later: int, good: bool):
    verifier = a_verifier(a_signer())
    for second in range(3 * LIFETIME):
        checked(verifier, signed(now=NOW + second), now=NOW + second)
    now = NOW + 3 * LIFETIME - back + later
    if good:
        assert checked(verifier, signed(now=now), now=now) == SUBJECT
    else:
        with pytest.raises(Refused, match="used"):
            checked(verifier, signed(now=now), now=now)


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!"])
def test_a_verifier_is_not_made_from_what_is_no_key(key: str):
    with pytest.raises(ValueError):  # noqa: PT011 (base64's and cryptography's words differ)
        RequestVerifier({"gateway-a": key}, audience=POD)


def test_everybody_who_reads_a_key_file_finds_the_same_id_and_the_same_signer():
    key = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    one, other = RequestSigner.from_pem(pem), RequestSigner.from_pem(pem)
    assert one.key_id == other.key_id
    assert len(one.key_id) == 16
    assert checked(a_verifier(other), signed(one)) == SUBJECT


def test_a_key_of_another_kind_is_refused():
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="not an Ed25519"):
        RequestSigner.from_pem(pem)
