"""Names and the way in: CoreDNS for pods, and Traefik as the ingress controller, both as host processes."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.addresses import DNS_PORT, EXTRA_INGRESSES, HOST, INGRESS, URL
from cluster.kubectl import Kubectl
from cluster.pki import kubeconfig_of
from cluster.places import Places
from cluster.processes import Processes, wait_for

MANIFESTS = Path(__file__).with_name("manifests")
MANIFEST_OF_INGRESS = MANIFESTS / "ingress.yaml"
"""The ingress class, and a storage class; any provider needs them."""
DNS_READY = "127.0.0.1:8181"


@dataclass(frozen=True, slots=True)
class WayIn:
    """CoreDNS and Traefik."""

    places: Places
    processes: Processes
    programs: Mapping[str, Path]

    def start(self, kubectl: Kubectl) -> None:
        """Begin both; `wait` says when they answer."""
        kubectl("apply", "-f", str(MANIFEST_OF_INGRESS), "-f", str(MANIFESTS / "names.yaml"))
        corefile = self.places.state / "Corefile"
        corefile.write_text(self._corefile())
        self.processes.start(self.programs["coredns"], "-conf", str(corefile))
        traefik = {"KUBECONFIG": str(kubeconfig_of(self.places, "traefik"))}
        self.processes.start(self.programs["traefik"], *traefik_arguments(), env=traefik)

    def wait(self) -> None:
        """Until names resolve and the ingress listens."""
        wait_for("CoreDNS", lambda: answers(f"http://{DNS_READY}/ready"), limit=30, processes=self.processes, behind="coredns")
        wait_for("Traefik", lambda: answers(f"{URL}/ping"), limit=30, processes=self.processes, behind="traefik")

    def _corefile(self) -> str:
        # The names of everybody else are answered as the internet answers a name that nobody has: no packet goes out.
        return f"""cluster.local:{DNS_PORT} in-addr.arpa:{DNS_PORT} {{
  bind {HOST}
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig_of(self.places, "coredns")}
  }}
  ready {DNS_READY}
  errors
}}
.:{DNS_PORT} {{
  bind {HOST}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def traefik_arguments() -> list[str]:
    """Traefik as an ingress controller that finds the cluster by KUBECONFIG."""
    return [
        f"--entrypoints.web.address={INGRESS}",
        "--entrypoints.web.asdefault",
        *(f"--entrypoints.{name}.address={address}" for name, address in EXTRA_INGRESSES.items()),
        # A stored file may take longer to arrive than Traefik's 60 s for the whole of a request.
        *(f"--entrypoints.{name}.transport.respondingtimeouts.readtimeout=0" for name in ("web", *EXTRA_INGRESSES)),
        "--ping",
        "--ping.entrypoint=web",
        "--providers.kubernetesingress",
        "--providers.kubernetesingress.ingressclass=traefik",
        "--providers.kubernetesingress.ingressendpoint.ip=127.0.0.1",
        "--providers.providersthrottleduration=200ms",  # else it gathers changes for 2 s
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]


def answers(url: str) -> bool:
    """Whether something says 200 there, asked without any proxy."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
