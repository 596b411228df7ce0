"""Where the session's pages are on Earth."""

from podium_agent.cdp import CdpConnection, Params
from podium_agent.context import grants
from podium_agent.operations.pages import Pages
from podium_agent.targets import Target, Targets
from podium_protocol.operations import Located, SetLocation
from podium_protocol.sessions import Geolocation

__all__ = ["Location"]


class Location:
    """Overrides geolocation on every page there is and every page to come, and lets pages ask for it."""

    def __init__(self, connection: CdpConnection, pages: Pages, targets: Targets) -> None:
        self._connection = connection
        self._pages = pages
        self._targets = targets
        self._override: Params | None = None
        targets.preparations.append(self._prepare)

    async def set(self, request: SetLocation) -> Located:
        """Raises `AgentError`."""
        place = Geolocation(latitude=request.latitude, longitude=request.longitude, accuracy=request.accuracy)
        async with self._pages.page(request.page, limit=10) as page:
            self._override = override = place.model_dump()
            # Nobody is there to answer the browser's question. (`Browser.grantPermissions` would deny all others.)
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
