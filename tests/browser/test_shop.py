"""A whole visit to a shop by HTTP alone: look around, buy, check out, and read afterwards what was done."""

import itertools
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from support.podium import Podium
from support.records import end_session
from support.shop import Line, Shop, product, running_shop
from support.waiting import eventually

pytestmark = pytest.mark.browser

_visits = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Customer:
    """A session and what its REST paths say."""

    http: httpx.AsyncClient
    session: str

    async def get(self, path: str, **query: object) -> httpx.Response:
        answer = await self.http.get(f"/api/sessions/{self.session}/{path}", params={k: str(v) for k, v in query.items()})
        assert answer.status_code == 200, answer.text
        return answer

    async def post(self, path: str, **body: object) -> dict[str, Any]:
        answer = await self.http.post(f"/api/sessions/{self.session}/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def go(self, url: str) -> None:
        assert (await self.post("navigate", url=url))["status"] == 200

    async def act(self, kind: str, selector: str | None = None, **more: object) -> str:
        """Do it; where the page is then."""
        done = await self.post("action", kind=kind, **({} if selector is None else {"selector": selector}), **more)
        assert (done["kind"], done["ok"]) == (kind, True)
        return str(urlsplit(done["url"]).path)

    async def nodes(self, **query: object) -> list[dict[str, Any]]:
        tree = (await self.get("json", **query)).json()
        assert tree["count"] == len(tree["nodes"])
        return list(tree["nodes"])

    async def node(self, role: str, name: str) -> dict[str, Any]:
        """The one element with that role and name."""
        found = [each for each in await self.nodes(filter="interactive") if (each["role"], each["name"]) == (role, name)]
        assert len(found) == 1, found
        return found[0]

    async def ref(self, role: str, name: str) -> str:
        return str((await self.node(role, name))["ref"])

    async def raw(self) -> str:
        return str((await self.get("text", mode="raw")).json()["text"])

    async def reads(self, words: str) -> None:
        """Wait for the page to say it."""

        async def said() -> bool:
            return words in await self.raw()

        await eventually(said, what=f"{words!r} on the page")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with running_shop() as running:
        yield running


@pytest.fixture
async def customer(podium: Podium, shop: Shop) -> AsyncIterator[Customer]:
    """In front of the shop's list."""
    session = f"shop-{next(_visits)}"
    created = await podium.http.post("/api/sessions", json={"session_id": session, "url": f"{shop.url}/list"})
    assert created.status_code == 200, created.text
    here = Customer(podium.http, session)
    await here.reads("30 products")
    yield here
    await end_session(podium.http, session)


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of a baseline JPEG, from its frame header."""
    assert data[:2] == b"\xff\xd8"
    place = 2
    while data[place + 1] != 0xC0:
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    height, width = struct.unpack_from(">HH", data, place + 5)
    return width, height


async def test_the_list_is_searched_filtered_scrolled_and_looked_at(customer: Customer, shop: Shop) -> None:
    field = await customer.node("searchbox", "Search")
    assert field["value"] == ""
    await customer.act("fill", ref=field["ref"], text="No. 1")
    assert (await customer.node("searchbox", "Search"))["value"] == "No. 1"
    assert await customer.act("press", "input[name=q]", key="Enter") == "/shop/list"
    assert shop.searches[-1] == ("No. 1", "")
    await customer.reads("14 products")

    await customer.act("fill", "input[name=q]", text="")
    await customer.act("select", ref=await customer.ref("combobox", "Category"), value="Coats")
    assert shop.searches[-1] == ("", "coats"), "chosen by its text, sent by its value"
    await customer.reads("15 products")
    assert (await customer.node("combobox", "Category"))["value"] == "Coats"

    # Twelve of fifteen are there; the rest is loaded when the end of the list comes into view.
    before = (await customer.get("page-size")).json()
    assert "Rain Coat No. 13" not in await customer.raw()
    await customer.act("scroll", scrollY=20_000)
    await customer.reads("That was all")
    assert shop.pages == [2]
    after = (await customer.get("page-size")).json()
    assert after["width"] == before["width"]
    assert after["height"] > before["height"] > 720

    await customer.act("hover", ref=await customer.ref("link", "Rain Coat No. 15"))
    await eventually(lambda: "coats-15" in shop.looked_at, what="the shop has seen the pointer")


async def test_a_guide_opens_over_the_list_and_closes_by_coordinates(customer: Customer) -> None:
    assert "dialog" not in {each["role"] for each in await customer.nodes()}
    await customer.act("click", ref=await customer.ref("button", "Size guide"))
    [guide] = [each for each in await customer.nodes() if each["role"] == "dialog"]
    assert guide["name"] == "Size guide"

    behind = {"kind": "click", "selector": "a[href*=shoes-1]", "timeout": 0.5}
    refused = await customer.http.post(f"/api/sessions/{customer.session}/action", json=behind)
    assert (refused.status_code, refused.json()["code"]) == (502, "element_not_usable")
    assert "<a> is covered by <dialog#sizes>" in refused.json()["detail"]

    await customer.act("click", x=650, y=520)
    assert "dialog" not in {each["role"] for each in await customer.nodes()}
    assert await customer.act("click", "a[href$=shoes-1]") == "/shop/products/shoes-1"


async def test_a_product_is_read_and_pictured(customer: Customer, shop: Shop) -> None:
    await customer.go(f"{shop.url}/products/shoes-3")
    page = (await customer.get("text")).json()
    assert (page["url"], page["title"]) == (f"{shop.url}/products/shoes-3", "Trail Shoe No. 3 - The Corner Shop")
    assert "made by hand in a small workshop" in page["text"]
    assert "All products" not in page["text"], "the menu is not what there is to read"
    assert "All products" in await customer.raw()

    screen = await customer.get("screenshot", raw="true")
    assert screen.headers["content-type"] == "image/jpeg"
    assert jpeg_size(screen.content) == (1280, 720)
    part = await customer.get("screenshot", raw="true", x=10, y=10, width=300, height=50)
    assert jpeg_size(part.content) == (300, 50)
    width, height = jpeg_size((await customer.get("image", selector=".picture", raw="true")).content)
    assert width in {200, 201}
    assert height in {120, 121}, "a pixel more where it does not begin on a whole one"

    html = (await customer.get("html")).text
    assert "rgb(200, 30, 30)" in html, "the stylesheet is inside"
    assert "<h1>Trail Shoe No. 3</h1>" in html


async def test_the_cart_counts_what_is_put_in(customer: Customer, shop: Shop) -> None:
    await customer.go(f"{shop.url}/products/shoes-2")
    await customer.act("fill", ref=await customer.ref("spinbutton", "Amount"), text="3")
    await customer.act("select", ref=await customer.ref("combobox", "Size"), value="L")
    await customer.act("click", ref=await customer.ref("button", "Add to cart"))
    await customer.reads("Cart (3)")
    await customer.go(f"{shop.url}/products/coats-1")
    await customer.act("click", "#buy button")
    await customer.reads("Cart (4)")
    assert shop.cart == [Line(product("shoes-2"), "L", 3), Line(product("coats-1"), "S", 1)]

    assert await customer.act("click", "#cart") == "/shop/cart"
    rows = [each["name"] for each in await customer.nodes() if each["role"] == "row"]
    assert rows == ["Product Size Amount Price", "Trail Shoe No. 2 L 3 29", "Rain Coat No. 1 S 1 19"]
    assert "Total: 106 euros" in await customer.raw()


async def test_a_checkout_is_corrected_confirmed_and_recorded(customer: Customer, shop: Shop) -> None:
    shop.cart.append(Line(product("coats-2"), "M", 1))
    await customer.go(f"{shop.url}/checkout")
    await customer.act("click", ref=await customer.ref("button", "Continue"))
    await customer.reads("Please check: name, email, pin, terms")
    readable = (await customer.get("text")).json()["text"]
    assert [words in readable for words in ("Checkout", "Please check: name", "You will pay")] == [True, True, False]

    await customer.act("type", ref=await customer.ref("textbox", "Name"), text="Ada")
    await customer.act("focus", "[name=email]")
    await customer.act("type", text="ada@example")
    for key in ("Backspace", "End", "Tab"):
        await customer.act("press", key=key)
    await customer.act("type", text="2718")
    assert (await customer.node("textbox", "Card PIN"))["value"] == "••••••••", "nobody reads how long it is"
    await customer.act("press", key="Tab")
    await customer.act("press", key="Space")
    assert (await customer.node("checkbox", "I agree to the terms"))["checked"] is True
    await customer.act("press", "[name=name]", key="Enter")
    await customer.reads("You will pay 29 euros.")
    assert shop.orders == [], "not before it is confirmed"

    await customer.act("click", ref=await customer.ref("button", "Place order"))
    await customer.reads("Thank you, Ada")
    assert shop.orders == [{"name": "Ada", "email": "ada@exampl", "pin": "2718", "terms": "on"}]
    receipt = await customer.post("navigate", url=f"{shop.url}/receipt/1")
    assert (receipt["download"], urlsplit(receipt["url"]).path) == (True, "/shop/thanks/1")


async def test_what_was_done_can_be_read_while_it_runs_and_afterwards(customer: Customer, shop: Shop) -> None:
    await customer.go(f"{shop.url}/products/shoes-2")
    await customer.act("click", "#buy button")
    await customer.reads("Cart (1)")
    await customer.get("screenshot", quality=50)
    await customer.get("image", selector="h1")
    await customer.http.post(f"/api/sessions/{customer.session}/action", json={"kind": "click", "selector": "#none"})
    await customer.act("fill", "[name=amount]", text="2")
    await customer.go(f"{shop.url}/checkout")
    await customer.act("fill", "[name=pin]", text="2718")
    await customer.post("navigate", url=f"{shop.url}/receipt/1")

    async def files() -> list[dict[str, Any]]:
        found = (await customer.get("artifacts")).json()["artifacts"]
        return list(found) if len(found) == 3 else []

    listed = await eventually(files, what="two pictures and a receipt")
    assert sorted(each["type"] for each in listed) == ["download", "screenshot", "screenshot"]
    [receipt] = [each for each in listed if each["type"] == "download"]
    assert (receipt["name"], receipt["mimeType"]) == ("receipt-1.csv", "text/csv")
    await read_back(customer, shop)
    await end_session(customer.http, customer.session)
    await read_back(customer, shop)
    async with httpx.AsyncClient(trust_env=False) as anybody:
        link = await anybody.get(receipt["publicUrl"])
    assert (link.status_code, link.text) == (200, "shoes-2,S,1\n")


async def read_back(customer: Customer, shop: Shop) -> None:
    """The action log, the console and the network have it all, and nothing that was typed."""

    async def logged() -> list[dict[str, Any]]:
        found = list((await customer.get("actions", limit=1000)).json()["actions"])
        return found if found and found[-1]["details"].get("url", "").endswith("/receipt/1") else []

    actions = await eventually(logged, what="the last operation in the log")
    did = [each for each in actions if each["details"]["source"] == "rest" and each["type"] != "text"]
    assert [(each["type"], each["details"].get("kind"), each["success"]) for each in did] == [
        ("navigate", None, True),
        ("action", "click", True),
        ("screenshot", None, True),
        ("image", None, True),
        ("action", "click", False),
        ("action", "fill", True),
        ("navigate", None, True),
        ("action", "fill", True),
        ("navigate", None, True),
    ]
    assert did[4]["error"] == 'nothing on the page matches "#none"'
    assert did[7]["details"] == {"kind": "fill", "selector": "[name=pin]", "textLength": 4, "source": "rest"}
    assert "2718" not in str(actions)
    assert [each["details"]["source"] for each in actions if each["details"].get("url") == f"{shop.url}/list"] == ["start"]

    assert "cart holds 1" in [each["message"] for each in (await customer.get("console", level="info")).json()["logs"]]
    requests = (await customer.get("network")).json()["requests"]
    seen = {(urlsplit(each["url"]).path, each["method"]): (each["status"], each["outcome"]) for each in requests}
    assert seen["/shop/cart/shoes-2", "POST"] == (200, "finished")
    assert seen["/shop/missing.png", "GET"][0] == 404
