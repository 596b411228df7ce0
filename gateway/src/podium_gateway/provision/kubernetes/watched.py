"""What one process knows of the cluster: every BrowserSession of the namespace, and the pool, from one watch each."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from podium_gateway.provision.kubernetes.manifest import POOLS, SESSIONS
from podium_gateway.provision.kubernetes.routes import Pool, Route, pool_of, route_of
from podium_gateway.tasks import Tasks
from podium_kube.client import ApiClient
from podium_kube.informer import Informer, Selection, WatchTimes
from podium_kube.resources import Json

__all__ = ["Watched"]

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 3.0
"""Seconds between two tries to watch while the API server is away: callers wait for what the watch will tell."""

Changed = Callable[[str, Route | None, Route | None], None]


class Watched:
    """Routes by name. `changed(name, old, new)` is told of every change, within the watch's own task: it must only note it.

    Without the API server the last that was known stands: whoever runs goes on.
    """

    def __init__(self, client: ApiClient, *, namespace: str, pool: str, changed: Changed) -> None:
        self._pool = pool
        self._changed = changed
        self._live = 0
        times = WatchTimes(longest_pause=LONGEST_PAUSE)
        self._routes = Informer(client, Selection(SESSIONS, namespace), trim=route_of, on_change=self._told, times=times)
        only = Selection(POOLS, namespace, field_selector=f"metadata.name={pool}")
        self._pools: Informer[Pool] = Informer(client, only, trim=pool_of, on_change=lambda *_: None, times=times)

    def begin(self, tasks: Tasks) -> None:
        """Watch for as long as these tasks live."""
        tasks.start(_kept(self._routes), name="sessions")
        tasks.start(_kept(self._pools), name="pools")

    def listed(self) -> bool:
        """Whether everything has been listed once."""
        return self._routes.synced.is_set() and self._pools.synced.is_set()

    async def sessions_listed(self) -> None:
        """Wait for the first list of BrowserSessions, however long the API server is away: until then nobody knows."""
        await self._routes.synced.wait()

    @property
    def pool(self) -> Pool | None:
        """The pool as it is now, if there is one."""
        return self._pools.get(self._pool)

    @property
    def live(self) -> int:
        """BrowserSessions of the pool that have, or will have, a browser; whoever made them."""
        return self._live

    def get(self, name: str) -> Route | None:
        """The route of that name."""
        return self._routes.get(name)

    def all(self) -> Mapping[str, Route]:
        """A copy, by name."""
        return self._routes.snapshot()

    def learn(self, body: Json) -> None:
        """What an answer of the API server says, before the watch does."""
        self._routes.learn(body)

    def _told(self, name: str, old: Route | None, new: Route | None) -> None:
        self._live += self._counts(new) - self._counts(old)
        self._changed(name, old, new)

    def _counts(self, route: Route | None) -> int:
        return int(route is not None and route.live and route.pool == self._pool)


async def _kept(informer: Informer[Any]) -> None:
    """Follow it whatever happens: a gateway that hears no more of its sessions would wait for each in vain."""
    while True:
        try:
            await informer.run()
        except Exception:  # not of the cluster, which the informer waits out, but a fault of ours: told, and gone on after it
            log.exception("watch_broke_off")
        await asyncio.sleep(LONGEST_PAUSE)
