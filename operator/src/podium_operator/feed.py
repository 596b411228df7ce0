"""kopf, as the process' shell and the watch of sessions and pools, and nothing more.

Its handlers only pass on what they hear. No state-keeping handlers, timers, daemons, finalizers, peering or posted events:
those cost 9.2 writes a session where this operator spends two.
"""

import asyncio
import itertools
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import kopf

from podium_crds.names import GROUP, PLURAL_POOL, PLURAL_SESSION, VERSION
from podium_operator.login import login
from podium_operator.operator import Operator

__all__ = ["run_kopf"]


class _Pauses:
    """Seconds between kopf's tries while the API server does not answer, for as long as that takes: kopf gives up after 54 s."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.2, 0.5, 1, 2), itertools.repeat(3))


class _NothingKept(kopf.DiffBaseStorage):
    """What kopf reads of earlier work in an object before it tells a handler of it: nothing.

    Its own storage parses an annotation, which anybody who may write the object can make unreadable, and then tells nobody.
    """

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """The part of an object whose changes are handled."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """That part as it was handled last."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Note it for the next time."""


async def run_kopf(operator: Operator, *, namespace: str, kubeconfig: Path | None, stop: asyncio.Event) -> None:
    """Run the operator inside of kopf until `stop` is set, or a signal comes, or the operator fails, which is raised."""
    running: list[asyncio.Task[None]] = []

    async def begin(**_: Any) -> None:
        # In here, because kopf cancels whatever else it finds in its loop when it ends.
        running.append(asyncio.create_task(operator.run(), name="operator"))
        running[0].add_done_callback(lambda _: stop.set())

    async def finish(**_: Any) -> None:
        for task in running:
            task.cancel()
        await asyncio.wait(running)

    async def session(event: Any, **_: Any) -> None:
        operator.session_event(event["type"], event["object"])

    async def pool(event: Any, **_: Any) -> None:
        operator.pool_event(event["type"], event["object"])

    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(login(kubeconfig))
    kopf.on.startup(registry=registry)(begin)
    kopf.on.cleanup(registry=registry)(finish)
    kopf.on.event(GROUP, VERSION, PLURAL_SESSION, registry=registry)(session)
    kopf.on.event(GROUP, VERSION, PLURAL_POOL, registry=registry)(pool)
    await kopf.operator(registry=registry, settings=_settings(), namespaces=[namespace], standalone=True, stop_flag=stop)
    for task in running:
        if task.done() and not task.cancelled() and (failure := task.exception()) is not None:
            raise failure


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True  # no watch of namespaces and definitions: no rights in the whole cluster
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = _NothingKept()
    # kopf takes its finalizer off objects that carry it for no reason of ours, and may not: nobody can name one that is not known.
    settings.persistence.finalizer = f"{GROUP}/{secrets.token_hex(16)}"
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 5
    settings.networking.request_timeout = 15
    settings.networking.error_backoffs = _Pauses()
    settings.queueing.idle_timeout = 0.5  # of one object's worker, of which there are thousands at 100 starts a second
    settings.execution.max_workers = 1
    return settings
