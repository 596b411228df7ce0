"""`python3 -m podium_operator`: take the Lease, then run kopf with the operator in it.

It exits at once when another has the Lease. While the API server only does not answer, so that the Lease cannot be renewed, it
stays: it acts no more, keeps what it knows, and goes on when the Lease is its own again.
"""

import asyncio
import gc
import logging
import os
import signal
import sys

from podium_kube.client import ApiClient
from podium_kube.errors import KubeError
from podium_kube.lease import Lease
from podium_operator.feed import run_kopf
from podium_operator.operator import Operator
from podium_operator.probes import serving
from podium_operator.settings import Settings, SettingsError
from podium_protocol.signing import RequestSigner
from podium_system.logs import configure

log = logging.getLogger(__name__)

LOST = 70
"""Exit status after the Lease was lost."""


def main() -> None:
    """Run until SIGTERM or SIGINT, or until another operator leads."""
    try:
        settings = Settings.from_environment(os.environ)
        signer = RequestSigner.from_pem(settings.agent_key_file.read_bytes())
    except (SettingsError, OSError, ValueError) as error:
        sys.exit(f"podium_operator: {error}")
    configure(settings.log_level)
    # kopf's own words about each object are debugging, and its events are none of ours.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    try:
        asyncio.run(_run(settings, signer))
    except KubeError as error:
        sys.exit(f"podium_operator: {error}")


async def _run(settings: Settings, signer: RequestSigner) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with await ApiClient.connect(kubeconfig=settings.kubeconfig, user_agent="podium-operator") as client:
        lease = Lease(client, settings.lease, namespace=settings.lease_namespace, identity=settings.identity)
        operator = Operator(client.fenced(lease.left), settings, signer=signer, may_act=lambda: lease.held)
        pages = {"/healthz": operator.healthz, "/readyz": operator.readyz, "/metrics": operator.metrics_page}
        async with serving(settings.metrics_host, settings.metrics_port, pages):
            leading = asyncio.create_task(_lead(lease, operator, settings, stop), name="lead")
            stopped = asyncio.create_task(stop.wait(), name="stop")
            await asyncio.wait({leading, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not lease.taken:
                leading.cancel()  # it waits for a Lease that nobody needs any more
            await asyncio.wait({leading})
        if not leading.cancelled() and (failure := leading.exception()) is not None:
            raise failure


async def _lead(lease: Lease, operator: Operator, settings: Settings, stop: asyncio.Event) -> None:
    async with lease.leadership(_lost, on_again=operator.resume):
        # At 200 starts a second the collector, looking through all that stays, was a third of the slowest per cent.
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        await run_kopf(operator, namespace=settings.namespace, kubeconfig=settings.kubeconfig, stop=stop)


def _lost() -> None:
    # At once: another may lead already, and nothing of ours may be written from now on.
    log.error("exit_without_lease")
    os._exit(LOST)


if __name__ == "__main__":
    main()
