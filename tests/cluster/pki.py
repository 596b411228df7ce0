"""Who is who in the cluster: one authority, a certificate for each program, and kubeconfigs that hold them.

Made anew for each cluster, since nothing outlives one that would need the old keys.
"""

import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from cluster.addresses import API, HOST, KUBERNETES_SERVICE, NODE
from cluster.places import Places

LIFETIME = datetime.timedelta(days=30)
"""Longer than anybody keeps a test cluster up."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A program's name in the cluster: its common name, its groups, and the names it may serve as."""

    file: str
    name: str
    groups: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()


SERVED = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
ADMIN = Identity("admin", "podium:admin", groups=("system:masters",))
API_SERVER = Identity("apiserver", "kube-apiserver", serves=(*SERVED, "localhost", HOST, KUBERNETES_SERVICE))
KUBELET = Identity("kubelet", f"system:node:{NODE}", groups=("system:nodes",), serves=(NODE, HOST))
CLIENTS = (
    ADMIN,
    KUBELET,
    Identity("kube-controller-manager", "system:kube-controller-manager"),
    Identity("kube-scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
    Identity("coredns", "podium:coredns"),
    Identity("traefik", "podium:traefik"),
)


class Authority:
    """Signs certificates, into a folder that only its owner reads."""

    def __init__(self, folder: Path, *, now: datetime.datetime) -> None:
        self._folder = folder
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "podium-test-cluster")])
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        _write(folder / "ca.crt", builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, who: Identity) -> None:
        """Write `<file>.key` and `<file>.crt`."""
        key = ec.generate_private_key(ec.SECP256R1())
        groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in who.groups]
        subject = x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, who.name)])
        builder = self._builder(subject, key.public_key())
        if who.serves:
            builder = builder.add_extension(x509.SubjectAlternativeName([_served(name) for name in who.serves]), critical=False)
        _write(self._folder / f"{who.file}.crt", builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        _write(self._folder / f"{who.file}.key", _private(key))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        # An hour back: the clock of a machine that was just started may still be set right.
        return builder.not_valid_before(self._now - datetime.timedelta(hours=1)).not_valid_after(self._now + LIFETIME)


def make_identities(places: Places, *, now: datetime.datetime) -> None:
    """Everything that is signed or signs, and a kubeconfig for each client."""
    places.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Authority(places.pki, now=now)
    for who in (API_SERVER, *CLIENTS):
        authority.issue(who)
    accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # signs service accounts' tokens
    _write(places.pki / "accounts.key", _private(accounts))
    public = accounts.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write(places.pki / "accounts.pub", public)
    for who in CLIENTS:
        _write(kubeconfig_of(places, who.file), kubeconfig(places.pki, who).encode())
    _write(places.kubeconfig, kubeconfig(places.pki, ADMIN).encode())


def kubeconfig_of(places: Places, file: str) -> Path:
    """The kubeconfig of a program."""
    return places.pki / f"{file}.kubeconfig"


def kubeconfig(pki: Path, who: Identity) -> str:
    """A kubeconfig with one cluster, one user and no choice. JSON is YAML."""
    user = {"client-certificate": str(pki / f"{who.file}.crt"), "client-key": str(pki / f"{who.file}.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "podium", "cluster": {"server": API, "certificate-authority": str(pki / "ca.crt")}}],
        "users": [{"name": who.file, "user": user}],
        "contexts": [{"name": "podium", "context": {"cluster": "podium", "user": who.file}}],
        "current-context": "podium",
    }
    return json.dumps(config, indent=2) + "\n"


def _served(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
