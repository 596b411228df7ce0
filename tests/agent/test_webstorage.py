"""Web storage followed by what a browser tells of it; the browser here is a list of what it was asked."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from podium_agent.targets import Targets
from podium_agent.webstorage import MAX_BYTES, MAX_ORIGINS, WebStorage
from podium_protocol.state import OriginStorage, SavedState

SHOP, NEWS = "https://shop.example", "https://news.example"
Params = dict[str, Any]


class Browser:
    """Takes commands, and says what a test has it say."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Callable[[Params, str | None], None]]] = {}
        self.asked: list[tuple[str, Params, str | None, Callable[[Params], None] | None]] = []
        self.targets = Targets(self)  # type: ignore[arg-type]
        self.changes = 0
        self.storage = WebStorage(self, self.targets, changed=self.changed)  # type: ignore[arg-type]
        self.on("Page.frameNavigated", self._navigated)

    def changed(self) -> None:
        self.changes += 1

    def on(self, event: str, handler: Callable[[Params, str | None], None]) -> None:
        self.handlers.setdefault(event, []).append(handler)

    def post(
        self,
        method: str,
        params: Params | None = None,
        session: str | None = None,
        *,
        then: Callable[[Params], None] | None = None,
    ) -> None:
        self.asked.append((method, params or {}, session, then))

    def say(self, event: str, params: Params, session: str | None = None) -> None:
        for handler in self.handlers.get(event, []):
            handler(params, session)

    def _navigated(self, params: Params, session: str | None) -> None:
        target = self.targets.of_session(session)
        assert target is not None
        target.frames = {params["frame"]["id"]: params["frame"]["securityOrigin"]}

    def open(self, page: str, *, kind: str = "page", context: str = "default", parent: str | None = None) -> None:
        info = {"targetId": page, "type": kind, "url": "", "title": "", "browserContextId": context}
        self.say("Target.attachedToTarget", {"targetInfo": info, "sessionId": page, "waitingForDebugger": True}, parent)

    def close(self, page: str) -> None:
        self.say("Target.detachedFromTarget", {"sessionId": page})

    def go(self, page: str, origin: str, *, local: dict[str, str] | None = None, session: dict[str, str] | None = None) -> None:
        """A document of that origin comes, and the page answers what it has."""
        self.asked.clear()
        self.say("Page.frameNavigated", {"frame": {"id": page, "securityOrigin": origin}}, page)
        self.answer(local or {}, session or {})

    def answer(self, local: dict[str, str], session: dict[str, str]) -> None:
        for method, params, _, then in self.asked:
            if method == "DOMStorage.getDOMStorageItems" and then is not None:
                items = local if params["storageId"]["isLocalStorage"] else session
                then({"entries": [list(item) for item in items.items()]})

    def change(self, event: str, page: str, origin: str, *, local: bool, key: str = "k", value: str = "v", more: str = "/") -> None:
        area = {"securityOrigin": origin, "storageKey": origin + more, "isLocalStorage": local}
        self.say(f"DOMStorage.domStorageItem{event}", {"storageId": area, "key": key, "newValue": value}, page)

    def known(self) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
        return {one.origin: (one.local_storage, one.session_storage) for one in self.storage.origins()}


@pytest.fixture
def browser() -> Browser:
    made = Browser()
    made.open("p1")
    made.open("p2")
    made.open("private", context="incognito")
    return made


def test_what_a_document_finds_and_makes_is_known(browser: Browser) -> None:
    browser.go("p1", SHOP, local={"a": "1"}, session={"b": "2"})
    browser.change("Added", "p1", SHOP, local=True, key="c", value="3")
    browser.change("Updated", "p1", SHOP, local=True, key="a", value="4")
    browser.change("Removed", "p1", SHOP, local=False, key="b")
    assert browser.known() == {SHOP: ({"a": "4", "c": "3"}, {})}
    browser.change("sCleared", "p1", SHOP, local=True)
    assert browser.known() == {}


def test_only_changes_are_worth_a_save(browser: Browser) -> None:
    browser.go("p1", SHOP, local={"a": "1"})
    before = browser.storage.version, browser.changes
    browser.go("p1", SHOP, local={"a": "1"})
    browser.change("Updated", "p1", SHOP, local=True, key="a", value="1")
    browser.change("Removed", "p1", SHOP, local=True, key="none")
    browser.change("sCleared", "p1", SHOP, local=False)
    assert (browser.storage.version, browser.changes) == before
    browser.change("Updated", "p1", SHOP, local=True, key="a", value="2")
    assert (browser.storage.version, browser.changes) == (before[0] + 1, before[1] + 1)


def test_an_answer_from_before_a_change_does_not_undo_it(browser: Browser) -> None:
    browser.asked.clear()
    browser.say("Page.frameNavigated", {"frame": {"id": "p1", "securityOrigin": SHOP}}, "p1")
    browser.answer({"a": "old"}, {})  # answers and events come in the order in which the page said them
    browser.change("Updated", "p1", SHOP, local=True, key="a", value="new")
    assert browser.known() == {SHOP: ({"a": "new"}, {})}


@pytest.mark.parametrize("more", ["/^0https://news.example", "/^31", ""])
def test_a_frame_inside_another_site_is_not_followed(browser: Browser, more: str) -> None:
    browser.open("f1", kind="iframe", parent="p1")
    browser.change("Added", "f1", SHOP, local=True, more=more)
    browser.change("Added", "f1", SHOP, local=False, more=more)
    assert browser.known() == {}


def test_pages_are_asked_by_storage_key(browser: Browser) -> None:
    browser.go("p1", SHOP)
    assert [params["storageId"]["storageKey"] for _, params, _, _ in browser.asked] == [f"{SHOP}/"] * 2


@pytest.mark.parametrize("origin", ["://", "null", "", "file://", "chrome://settings"])
def test_an_origin_without_a_name_has_nothing(browser: Browser, origin: str) -> None:
    browser.go("p1", origin, local={"a": "1"})
    browser.change("Added", "p1", origin, local=True)
    assert browser.known() == {}
    assert browser.asked == []


def test_a_clients_own_context_is_its_own(browser: Browser) -> None:
    browser.go("private", SHOP, local={"a": "1"})
    browser.change("Added", "private", SHOP, local=True)
    private = browser.targets.of_session("private")
    assert private is not None
    assert (browser.known(), browser.asked, browser.storage.prepare(private)) == ({}, [], [])


def test_a_page_is_asked_before_it_leaves(browser: Browser) -> None:
    browser.go("p1", SHOP, local={"user": "ada"})
    browser.asked.clear()
    browser.say("Network.requestWillBeSent", {"type": "Document", "frameId": "p1"}, "p1")
    browser.answer({}, {})  # it has signed out, and no event said so
    browser.go("p1", NEWS)
    assert browser.known() == {}
    assert browser.storage.left() == [SHOP]


def test_what_was_left_is_what_has_no_page_any_more(browser: Browser) -> None:
    for origin in (SHOP, NEWS, "https://third.example"):
        browser.go("p1", origin)
    assert browser.storage.left() == [NEWS, SHOP]
    browser.go("p2", SHOP)
    assert browser.storage.left() == [NEWS]
    browser.storage.know_local(NEWS, {"read": "later"})
    assert browser.known() == {NEWS: ({"read": "later"}, {})}


def test_session_storage_is_that_of_the_tab_that_changed_it_last(browser: Browser) -> None:
    browser.go("p1", SHOP, session={"tab": "one"})
    browser.go("p2", SHOP)  # a new tab has none, and that takes nothing from the other
    assert browser.known() == {SHOP: ({}, {"tab": "one"})}
    browser.change("Added", "p2", SHOP, local=False, key="tab", value="two")
    assert browser.known() == {SHOP: ({}, {"tab": "two"})}
    browser.close("p2")
    assert browser.known() == {SHOP: ({}, {"tab": "one"})}
    browser.close("p1")
    assert browser.known() == {SHOP: ({}, {"tab": "one"})}


def test_a_tab_that_clears_its_session_storage_has_none(browser: Browser) -> None:
    browser.go("p1", SHOP, session={"tab": "one"})
    browser.change("sCleared", "p1", SHOP, local=False)
    assert browser.known() == {}


def test_what_was_restored_stays_until_its_page_says_otherwise(browser: Browser) -> None:
    browser.storage.start_from(
        [
            OriginStorage(origin=SHOP, local_storage={"a": "1"}, session_storage={"b": "2"}),
            OriginStorage(origin=NEWS, local_storage={"c": "3"}, session_storage={"d": "4"}),
        ]
    )
    before = browser.known()
    assert before == {SHOP: ({"a": "1"}, {"b": "2"}), NEWS: ({"c": "3"}, {"d": "4"})}
    browser.go("p1", SHOP, local={"a": "1"}, session={"b": "2"})
    assert (browser.known(), browser.storage.version) == (before, 0)
    browser.go("p1", SHOP)  # cleared as soon as it came
    assert browser.known() == {NEWS: ({"c": "3"}, {"d": "4"})}


def test_the_origins_longest_untouched_are_forgotten_first(browser: Browser) -> None:
    for number in range(MAX_ORIGINS + 5):
        browser.go("p1", f"https://site{number}.example", local={"n": str(number)})
    browser.change("Added", "p1", "https://site5.example", local=True)
    known = list(browser.known())
    assert (len(known), known[0], known[-1]) == (MAX_ORIGINS, "https://site6.example", "https://site5.example")


def test_a_document_has_a_size(browser: Browser) -> None:
    large = "x" * (MAX_BYTES // 2 - 1000)
    for origin in (SHOP, NEWS, "https://third.example"):
        browser.go("p1", origin, local={"k": large})
    assert list(browser.known()) == [NEWS, "https://third.example"]


@pytest.mark.parametrize("unit", ["\ud800\ue000", "\u4e2d\u6587", "\0\1"])
def test_the_size_is_that_of_what_is_sent(browser: Browser, unit: str) -> None:
    browser.go("p1", SHOP, local={"user": "ada"})
    for origin in (NEWS, "https://third.example"):
        browser.go("p1", origin, local={"packed": unit * 2_500_000})
    kept = browser.storage.origins()
    assert kept[0].origin == SHOP, "what is too large itself takes nothing from the others"
    assert len(kept) < 3
    assert len(SavedState(saved_at=datetime.now(UTC), origins=kept).model_dump_json().encode()) < MAX_BYTES + 1000
