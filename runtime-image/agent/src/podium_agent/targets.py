"""Every target of the browser, whoever made it, attached before its first line runs.

One `Target.setAutoAttach` at browser level and one on each attached session, with filters, gives each target exactly one session
of ours: the browser's own level for pages, popups, shared and service workers; the parent's session for out-of-process frames and
dedicated workers. Without the filter on children a service worker attaches once more for every open page of its origin,
and repeats everything.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.holders import RESUME_LIMIT, Holders
from podium_protocol.urls import without_credentials

__all__ = ["PAGE", "TAB", "Preparation", "Target", "Targets"]

log = logging.getLogger(__name__)

_FILTER: Final = [
    {"type": "browser", "exclude": True},
    {"type": "tab", "exclude": True},
    {"type": "browser_ui", "exclude": True},
]
_AUTO_ATTACH: Final[Params] = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True, "filter": [*_FILTER, {}]}
_CHILD_AUTO_ATTACH: Final[Params] = {
    **_AUTO_ATTACH,
    "filter": [*_FILTER, {"type": "service_worker", "exclude": True}, {}],
}

# Bodies are not recorded: without this the browser would keep the last 100 MB of them for us.
_NO_BODIES: Final[Params] = {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0, "maxPostDataSize": 0}

PAGE: Final = "page"
TAB: Final = "tab"
_WITH_FRAMES: Final = frozenset({PAGE, "iframe"})

Preparation = Callable[["Target"], list[tuple[str, Params]]]
"""Commands to post to a paused target before it runs."""


@dataclass(slots=True, eq=False)
class Target:
    """One attached target. `session` is ours; `url` and `title` follow what Chromium says of it, without user name and password."""

    id: str
    session: str
    type: str
    url: str
    title: str
    context: str | None
    opener: str | None
    parent: str | None
    """Session of the target it hangs below; none at browser level."""
    crashed: bool = False
    frames: dict[str, str] = field(default_factory=dict)
    """Security origin by frame id, for the frames this target holds."""
    recorded_title: str = ""
    """The title that is in the record for what it shows."""
    ours: bool = False
    """A helper tab of the agent: not recorded, not shown, not active."""

    @property
    def has_frames(self) -> bool:
        """A page or an out-of-process frame; workers have none."""
        return self.type in _WITH_FRAMES


class Targets:
    """The registry: pages in order of attachment, and the active one."""

    def __init__(self, connection: CdpConnection) -> None:
        self._connection = connection
        self._by_session: dict[str, Target] = {}
        self._by_id: dict[str, Target] = {}
        self._recent: dict[str, None] = {}
        """Pages as they were last in front, the latest one at the end."""
        self.tabs: dict[str, str | None] = {}
        """Sessions of ours with tabs, until Chromium says that they are over, which is a moment: the page in each."""
        self.opening: asyncio.Task[None] | None = None
        """A blank page on its way, in place of the last one."""
        self.default_context: str | None = None
        self.holders = Holders()
        self.preparations: list[Preparation] = []
        self.opened: list[Callable[[Target], None]] = []
        self.closed: list[Callable[[Target], None]] = []
        self._expected_helpers = 0
        connection.on("Target.attachedToTarget", self._attached)
        connection.on("Target.detachedFromTarget", self._detached)
        connection.on("Target.targetInfoChanged", self._changed)

    async def start(self) -> None:
        """Attach to what is there and to all that comes."""
        await asyncio.gather(
            self._connection.command("Target.setDiscoverTargets", {"discover": True, "filter": [*_FILTER, {}]}),
            self._connection.command("Target.setAutoAttach", _AUTO_ATTACH),
        )

    @property
    def pages(self) -> list[Target]:
        """Tabs and popups of the caller, in order of attachment."""
        return [target for target in self._by_id.values() if target.type == PAGE and not target.ours]

    @property
    def all(self) -> list[Target]:
        """Everything attached, helpers included."""
        return list(self._by_id.values())

    def page(self, target_id: str | None) -> Target | None:
        """The page of that id, or the active one."""
        found = self._by_id.get(target_id or next(reversed(self._recent), ""))
        return found if found is not None and found.type == PAGE and not found.ours else None

    def of_session(self, session: str | None) -> Target | None:
        """The target behind one of our sessions."""
        return self._by_session.get(session or "")

    def activate(self, target: Target) -> None:
        """Operations without a page mean this one from now on."""
        self._recent.pop(target.id, None)
        if target.id in self._by_id:
            self._recent[target.id] = None

    def in_order(self, ids: Collection[str]) -> list[Target]:
        """Those pages, the one that was in front last at the end."""
        return [self._by_id[each] for each in self._recent if each in ids]

    def in_default_context(self, target: Target) -> bool:
        """Whether it shares the session's own cookies, and not a context that a client made."""
        return self.default_context is None or target.context == self.default_context

    def expect_helper(self) -> None:
        """The next page that attaches is a tab of the agent's own."""
        self._expected_helpers += 1

    async def settled(self, target: Target) -> None:
        """Wait until what was posted to a page's renderer has been done there; raises `AgentError`.

        The browser process begins a navigation at once, and what has not reached the old renderer by then is lost to the new.
        """
        await self._connection.command("Page.getFrameTree", session=target.session)

    def _attached(self, params: Params, parent: str | None) -> None:
        info: dict[str, Any] = params["targetInfo"]
        if info["type"] == TAB:
            self.tabs[params["sessionId"]] = None
            return
        if parent is not None and parent in self.tabs:
            if info.get("subtype") != "prerender":  # a page beside the tab's own, which nobody sees
                self.tabs[parent] = info["targetId"]
            return
        target = Target(
            id=info["targetId"],
            session=params["sessionId"],
            type=info["type"],
            url=without_credentials(info["url"]),
            title=without_credentials(info.get("title", "")),
            context=info.get("browserContextId"),
            opener=info.get("openerId"),
            parent=parent,
        )
        if target.type == PAGE and self._expected_helpers:
            self._expected_helpers -= 1
            target.ours = True
        self._by_session[target.session] = target
        self._by_id[target.id] = target
        if target.type == PAGE and not target.ours:
            if self.default_context is None:
                self.default_context = target.context
            self.activate(target)
        try:
            self._prepare(target)
            if not target.ours:
                for listener in self.opened:
                    listener(target)
        finally:  # last, so that what listeners ask of it is answered before its first script; one that fails stops no page
            self._let_go(target, reaches_opener=info.get("canAccessOpener", False))

    def _let_go(self, target: Target, *, reaches_opener: bool) -> None:
        def resume() -> None:
            self._connection.post("Runtime.runIfWaitingForDebugger", None, target.session)

        if target.type != PAGE or target.ours or not reaches_opener:
            resume()
            return
        # A popup begins in its opener's process, where the first who lets it go does so for all. A client that holds it has been
        # told of it before this answer was sent, so that its bytes are read in the same turn of the loop, at the latest.
        loop = asyncio.get_running_loop()
        late = loop.call_later(RESUME_LIMIT, resume)

        def answered() -> None:
            late.cancel()
            loop.call_soon(self.holders.let_go, target.id, resume)

        self._connection.post("Page.getFrameTree", None, target.session, after=answered)

    def _prepare(self, target: Target) -> None:
        post = self._connection.post
        # A type we know nothing of answers with errors that nobody reads, and is let go like all others.
        post("Target.setAutoAttach", _CHILD_AUTO_ATTACH, target.session)
        if not target.ours:
            post("Runtime.enable", None, target.session)
            post("Network.enable", _NO_BODIES, target.session)
            post("Log.enable", None, target.session)
            post("Audits.enable", None, target.session)
        if target.has_frames:
            post("Page.enable", None, target.session)
            post("Page.setLifecycleEventsEnabled", {"enabled": True}, target.session)
        for preparation in self.preparations:
            for method, params in preparation(target):
                post(method, params, target.session)

    def _detached(self, params: Params, _: str | None) -> None:
        self.tabs.pop(params["sessionId"], None)
        target = self._by_session.pop(params["sessionId"], None)
        if target is None:
            return
        if self._by_id.get(target.id) is target:
            del self._by_id[target.id]
            self._recent.pop(target.id, None)
            self.holders.forget(target.id)
        if not target.ours:
            for listener in self.closed:
                listener(target)

    def _changed(self, params: Params, _: str | None) -> None:
        info = params["targetInfo"]
        target = self._by_id.get(info["targetId"])
        if target is not None:
            target.url, target.title = without_credentials(info["url"]), without_credentials(info.get("title", ""))
