"""The views over the store: pages, bounds, and what is counted of entries that are gone."""

from typing import Any

from sqlalchemy import text

from podium_gateway.store.excerpts import Excerpts
from podium_gateway.store.sessions import SessionRecord
from podium_gateway.views.recorded import Recorded
from podium_protocol.events import Event
from support.store import NOW, Stores, event, later


def recorded(stores: Stores, *, most: int = 10_000) -> Recorded:
    return Recorded(Excerpts(stores.database), most_console=most, most_requests=most, most_events=100)


async def newest(stores: Stores) -> SessionRecord:
    found = await stores.sessions.get("alice", "shop")
    assert found is not None
    return found


def exchange(counter: int, name: str, **more: Any) -> list[Event]:
    """A request that was answered; three events."""
    return [
        event(counter, "network.request", request_id=name, url=f"https://x/{name}", method="GET", **more),
        event(counter + 1, "network.response", request_id=name, status=200),
        event(counter + 2, "network.finished", request_id=name, size=10),
    ]


async def test_pages_of_the_console_and_of_one_level(stores: Stores) -> None:
    run = await stores.begin()
    lines = [event(n, text=f"line {n}", level="error" if n % 3 == 0 else "log") for n in range(1, 31)]
    await stores.events.append_from_agent(run.uid, 1, lines)
    views = recorded(stores)
    page = await views.console(await newest(stores), offset=28, limit=5, level=None)
    assert ([one.message for one in page.entries], page.total, page.dropped) == (["line 29", "line 30"], 30, 0)
    errors = await views.console(await newest(stores), offset=1, limit=2, level="error")
    assert ([one.message for one in errors.entries], errors.total, errors.dropped) == (["line 6", "line 9"], 10, 0)
    assert (await views.console(await newest(stores), offset=0, limit=5, level="debug")).total == 0


async def test_a_view_shows_the_newest_of_its_bound_and_counts_the_others(stores: Stores) -> None:
    run = await stores.begin()
    await stores.events.append_from_agent(run.uid, 1, [event(n, text=f"line {n}", level="log") for n in range(1, 31)])
    page = await recorded(stores, most=10).console(await newest(stores), offset=0, limit=100, level="log")
    assert (page.entries[0].message, len(page.entries), page.total, page.dropped) == ("line 21", 10, 10, 20)


async def test_what_the_log_itself_has_trimmed_is_counted_too(stores: Stores) -> None:
    run = await stores.begin()
    for start in range(1, 250, 60):  # the test's log keeps 100
        await stores.events.append_from_agent(run.uid, 1, [event(n, text=f"line {n}") for n in range(start, start + 60)])
    page = await recorded(stores).console(await newest(stores), offset=0, limit=1000, level=None)
    assert (len(page.entries), page.total, page.dropped) == (100, 100, 200)


async def test_pages_of_requests_find_what_belongs_to_them(stores: Stores) -> None:
    run = await stores.begin()
    for number in range(10):
        await stores.events.append_from_agent(run.uid, 1, exchange(number * 3 + 1, f"r{number}"))
    page = await recorded(stores).network(await newest(stores), offset=4, limit=2)
    assert [(one.request_id, one.outcome, one.size) for one in page.entries] == [("r4", "finished", 10), ("r5", "finished", 10)]
    assert (page.total, page.dropped) == (10, 0)
    bounded = await recorded(stores, most=3).network(await newest(stores), offset=0, limit=100)
    assert ([one.request_id for one in bounded.entries], bounded.dropped) == (["r7", "r8", "r9"], 7)


async def test_a_redirect_across_two_pages_keeps_both_its_ends(stores: Stores) -> None:
    run = await stores.begin()
    hops = [
        event(1, "network.request", request_id="r", url="https://x/1", method="GET"),
        event(2, "network.response", request_id="r", status=302, redirect=True),
        event(3, "network.request", request_id="r", url="https://x/2", method="GET"),
        event(4, "network.response", request_id="r", status=200),
    ]
    await stores.events.append_from_agent(run.uid, 1, hops)
    first = await recorded(stores).network(await newest(stores), offset=0, limit=1)
    second = await recorded(stores).network(await newest(stores), offset=1, limit=1)
    assert [(one.status, one.redirected_to) for one in first.entries] == [(302, "https://x/2")]
    assert [(one.status, one.redirected_from) for one in second.entries] == [(200, "https://x/1")]


async def test_actions_and_navigations_of_one_run(stores: Stores) -> None:
    run = await stores.begin()
    told = [
        event(1, "page.navigated", main=True, url="https://x/", loader="L1", cause="start"),
        event(2, "page.loaded", loader="L1", url="https://x/", title="X"),
        event(3, "page.navigated", main=False, url="https://frame/", loader="L2", cause="page"),
        event(4, "page.navigated", main=True, url="https://x/own", loader="L3", cause="page"),
        event(5, "page.navigated", main=True, url="https://x/op", loader="L4", cause="operation"),
        event(6, "page.navigated", main=True, url="https://x/cdp", loader="L5", cause="client"),
    ]
    await stores.events.append_from_agent(run.uid, 1, told)
    data = {"type": "screenshot", "success": True, "details": {}, "duration": 5}
    await stores.events.append_own(run.uid, 1, type="operation", data=data, time=NOW)
    found = await newest(stores)
    assert (found.navigations, found.actions, found.screenshots) == (4, 3, 1)
    assert (found.last_url, found.last_title) == ("https://x/cdp", None)

    log = await recorded(stores).actions(found, offset=0, limit=10)
    assert [(one.type, one.details["source"]) for one in log.entries] == [
        ("navigate", "start"),
        ("navigate", "cdp"),
        ("screenshot", "rest"),
    ]
    assert (log.total, log.dropped) == (3, 0)
    history = await recorded(stores).navigations(found, limit=3)
    assert [one.url for one in history.entries] == ["https://x/own", "https://x/op", "https://x/cdp"]
    assert history.dropped == 1
    everything = await recorded(stores).navigations(found, limit=100)
    assert everything.entries[0].title == "X"


async def test_the_views_are_those_of_the_newest_run(stores: Stores) -> None:
    first = await stores.begin()
    await stores.events.append_from_agent(first.uid, 1, [event(1, text="old")])
    await stores.sessions.finish(first.uid, 1, status=first.status, reason="Requested", now=later(5))  # type: ignore[arg-type]
    await stores.begin(at=later(6))
    assert (await recorded(stores).console(await newest(stores), offset=0, limit=10, level=None)).total == 0
    assert (await newest(stores)).console_messages == 0


async def test_counts_are_those_of_each_event_once(stores: Stores) -> None:
    run = await stores.begin()
    for _ in range(3):
        await stores.events.append_from_agent(run.uid, 1, exchange(1, "r"))
    assert (await newest(stores)).requests == 1


async def test_the_newest_runs_of_several_sessions_are_read_at_once(stores: Stores) -> None:
    shop, mail = await stores.begin(), await stores.begin("mail")
    found = await stores.sessions.newest([shop.uid, mail.uid, "nobody"])
    assert {uid: one.session_id for uid, one in found.items()} == {shop.uid: "shop", mail.uid: "mail"}
    assert await stores.sessions.newest([]) == {}


async def test_a_page_of_requests_uses_the_index(stores: Stores) -> None:
    if not stores.url.startswith("sqlite"):
        return
    query = "EXPLAIN QUERY PLAN SELECT * FROM events WHERE session_uid = 'u' AND run = 1 AND subject IN ('a','b')"
    async with stores.database.read() as connection:
        plan = " ".join(str(row) for row in await connection.execute(text(query)))
    assert "ix_events_session_uid_subject_seq" in plan
