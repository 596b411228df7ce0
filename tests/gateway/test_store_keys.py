"""Users and keys as they are kept."""

import asyncio
import re

import pytest

from podium_gateway.errors import InvalidRequest, UserExists, UserNotFound
from podium_gateway.store.keys import ApiKey
from support.store import NOW, Stores, later


async def _key(stores: Stores, key_id: str, user_id: str = "alice") -> ApiKey:
    return await stores.accounts.create_key(user_id, key_id=key_id, name="test", token_hash=f"hash of {key_id}", now=NOW)


@pytest.mark.parametrize(
    ("name", "user_id"),
    [
        ("alice", "alice"),
        ("Alice B. Cooper", "alice-b-cooper"),
        ("ada@shop.example", "ada-shop-example"),
        ("me", r"me-[a-z2-7]{8}"),
        ("Ünï", "n"),
        ("木村", r"user-[a-z2-7]{8}"),
        ("x" * 100, "x" * 40),
    ],
)
async def test_a_user_id_is_readable_and_fits_a_path(stores: Stores, name: str, user_id: str) -> None:
    user = await stores.accounts.add_user(name, now=NOW)
    assert re.fullmatch(user_id, user.id)
    assert await stores.accounts.get_user(user.id) == user


async def test_a_slug_that_is_taken_gets_a_mark(stores: Stores) -> None:
    first = await stores.accounts.add_user("Ada L", now=NOW)
    second = await stores.accounts.add_user("ada l", now=later(1))
    assert first.id == "ada-l"
    assert re.fullmatch(r"ada-l-[a-z2-7]{8}", second.id)
    assert await stores.accounts.first_user() == first


async def test_a_name_is_had_once(stores: Stores) -> None:
    made = await asyncio.gather(*(stores.accounts.add_user("alice", now=NOW) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, UserExists) for each in made) == 3


@pytest.mark.parametrize("name", ["", " ", " alice", "a\nb", "a\0b", "x" * 101])
async def test_a_name_that_would_not_print_is_refused(stores: Stores, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await stores.accounts.add_user(name, now=NOW)
    assert await stores.accounts.first_user() is None


async def test_a_key_is_live_until_it_is_revoked(stores: Stores) -> None:
    await stores.user()
    key = await _key(stores, "k1")
    assert await stores.accounts.live_key("k1") == key
    assert await stores.accounts.revoke_key("k1", now=later(5))
    assert not await stores.accounts.revoke_key("k1", now=later(6))
    assert await stores.accounts.live_key("k1") is None
    revoked = await stores.accounts.get_key("k1")
    assert revoked is not None
    assert revoked.revoked_at == later(5)


async def test_a_key_needs_a_user(stores: Stores) -> None:
    with pytest.raises(UserNotFound):
        await _key(stores, "k1", user_id="nobody")


async def test_keys_are_listed_for_one_user_or_for_all(stores: Stores) -> None:
    for user, key in (("alice", "k1"), ("bob", "k2"), ("alice", "k3")):
        await stores.user(user)
        await _key(stores, key, user)
    assert [key.id for key in await stores.accounts.list_keys()] == ["k1", "k2", "k3"]
    assert [key.id for key in await stores.accounts.list_keys("alice")] == ["k1", "k3"]
    assert await stores.accounts.list_keys("nobody") == []


async def test_revoked_and_unknown_keys_are_picked_out_of_many(stores: Stores) -> None:
    await stores.user()
    for key in ("k1", "k2", "k3"):
        await _key(stores, key)
    await stores.accounts.revoke_key("k2", now=NOW)
    many = ["k1", "k2", "k3", "gone", *(f"x{number}" for number in range(1200))]
    assert await stores.accounts.revoked_among(many) == {"k2", "gone", *(f"x{number}" for number in range(1200))}
    assert await stores.accounts.revoked_among([]) == set()


async def test_the_last_use_is_written_at_most_once_a_minute(stores: Stores) -> None:
    await stores.user()
    await _key(stores, "k1")
    seen = []
    for seconds in (0, 30, 59, 60, 61, 119, 120):
        await stores.accounts.touch("k1", now=later(seconds))
        key = await stores.accounts.get_key("k1")
        assert key is not None
        seen.append(key.last_used_at)
    assert seen == [NOW, NOW, NOW, later(60), later(60), later(60), later(120)]
