"""Where the session's pages are on Earth, and what they may use without asking anybody."""

from collections.abc import Iterable

from podium_agent.cdp import CdpConnection, Params
from podium_agent.context import grants
from podium_agent.operations.pages import Pages
from podium_agent.targets import Target, Targets
from podium_protocol.operations import Located, SetLocation
from podium_protocol.sessions import Geolocation, Permission

__all__ = ["Location"]


class Location:
    """Overrides geolocation on every page there is and every page to come; the latest word counts, the context's or a call's."""

    def __init__(self, connection: CdpConnection, pages: Pages, targets: Targets) -> None:
        self._connection = connection
        self._pages = pages
        self._targets = targets
        self._override: Params | None = None
        self._granted: dict[Permission, None] = {}
        targets.preparations.append(self._prepare)

    def begin(self, place: Geolocation | None, permissions: Iterable[Permission]) -> None:
        """What the session's context says; pages learn the place when they are prepared."""
        self._override = None if place is None else place.model_dump()
        self._granted = dict.fromkeys(permissions)
        self.grant()

    def grant(self) -> None:
        """Once more, too: with a client that has changed permissions, Chromium forgets all that were set, ours too."""
        for method, params in grants(self._granted):
            self._connection.post(method, params)

    async def set(self, request: SetLocation) -> Located:
        """Raises `AgentError`."""
        place = Geolocation(latitude=request.latitude, longitude=request.longitude, accuracy=request.accuracy)
        async with self._pages.page(request.page, limit=10) as page:
            self._override = override = place.model_dump()
            # Nobody is there to answer the browser's question. (`Browser.grantPermissions` would deny all others.)
            self._granted["geolocation"] = None
            for method, params in grants(["geolocation"]):
                await page.within(self._connection.command(method, params))
            await page.steady(lambda: page.command("Emulation.setGeolocationOverride", override))
            for other in self._targets.pages:
                self._connection.post("Emulation.setGeolocationOverride", override, other.session)
        return Located(**place.model_dump())

    def _prepare(self, target: Target) -> list[tuple[str, Params]]:
        if self._override is None or not target.has_frames:
            return []
        return [("Emulation.setGeolocationOverride", self._override)]
