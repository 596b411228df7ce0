"""Saved states: one document an id, of the newest run that wrote."""

import asyncio

import pytest

from podium_gateway.errors import Internal, PayloadTooLarge, StaleRun
from podium_protocol.state import Cookie, SavedState
from support.store import NOW, Stores, later


def _state(word: str) -> SavedState:
    return SavedState(saved_at=NOW, url="https://shop.example/", cookies=[Cookie(name="a", value=word, domain="shop.example")])


async def _put(stores: Stores, word: str, *, run: int = 1, session_id: str = "shop", seconds: float = 0) -> None:
    document = _state(word).model_dump_json().encode()
    await stores.states.put(await stores.user(), session_id, uid="uid", run=run, state=document, now=later(seconds))


async def test_the_newest_state_is_the_one_that_is_kept(stores: Stores) -> None:
    assert await stores.states.get(await stores.user(), "shop") is None
    await _put(stores, "one")
    await _put(stores, "two")
    assert await stores.states.get("alice", "shop") == _state("two")
    assert len(stores.files) == 1


async def test_a_run_that_was_replaced_cannot_write(stores: Stores) -> None:
    await _put(stores, "first run")
    await _put(stores, "second run", run=2)
    with pytest.raises(StaleRun):
        await _put(stores, "late", run=1)
    assert await stores.states.get("alice", "shop") == _state("second run")
    assert len(stores.files) == 1


async def test_of_runs_that_write_together_the_newest_is_kept(stores: Stores) -> None:
    await stores.user()
    done = await asyncio.gather(*(_put(stores, f"run {run}", run=run) for run in (3, 1, 4, 2)), return_exceptions=True)
    assert {type(each) for each in done} <= {type(None), StaleRun}
    assert await stores.states.get("alice", "shop") == _state("run 4")
    assert len(stores.files) == 1


async def test_the_same_state_again_writes_nothing(stores: Stores) -> None:
    await _put(stores, "same")
    before = (stores.files, await stores.states.find("alice", "shop"))
    await _put(stores, "same", seconds=10)
    assert (stores.files, await stores.states.find("alice", "shop")) == before
    await _put(stores, "same", run=2, seconds=20)
    found = await stores.states.find("alice", "shop")
    assert found is not None
    assert (found.run, found.saved_at) == (2, later(20))


async def test_a_state_that_is_too_large_leaves_the_one_before(stores: Stores) -> None:
    await _put(stores, "small")
    with pytest.raises(PayloadTooLarge):
        await _put(stores, "x" * stores.largest)
    assert await stores.states.get("alice", "shop") == _state("small")
    assert len(stores.files) == 1


async def test_states_are_each_users_own(stores: Stores) -> None:
    await _put(stores, "one", session_id="a")
    await _put(stores, "two", session_id="b", seconds=1)
    assert [state.session_id for state in await stores.states.list("alice")] == ["b", "a"]
    assert await stores.states.list("bob") == []
    assert await stores.states.get("bob", "a") is None
    assert not await stores.states.delete("bob", "a", now=NOW)


async def test_a_deleted_state_is_gone_with_its_bytes(stores: Stores) -> None:
    await _put(stores, "one")
    assert await stores.states.delete("alice", "shop", now=NOW)
    assert not await stores.states.delete("alice", "shop", now=NOW)
    assert await stores.states.get("alice", "shop") is None
    assert stores.files == []


@pytest.mark.parametrize("document", [b'{"version": 2, "saved_at": "2026-02-12T10:00:00Z"}', b"{"])
async def test_a_state_of_another_version_is_refused_not_guessed(stores: Stores, document: bytes) -> None:
    await stores.states.put(await stores.user(), "shop", uid="uid", run=1, state=document, now=NOW)
    with pytest.raises(Internal, match="cannot be read"):
        await stores.states.get("alice", "shop")


async def test_a_state_whose_bytes_are_gone_says_so(stores: Stores) -> None:
    await _put(stores, "one")
    stores.files[0].unlink()
    with pytest.raises(Internal, match="gone"):
        await stores.states.get("alice", "shop")
