"""A small shop that tests buy from, and that remembers what was done in it.

A list with search, filter and more of it below; products with sizes; a cart; a checkout that checks, and asks once more in a
dialog; a receipt to download. It has one customer. The pages are in `pages/shop/`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from support.site import running_app

PAGES = Path(__file__).with_name("pages") / "shop"
PAGE = 12
"""Products that are in the list at once."""


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy."""

    id: str
    name: str
    category: str
    price: int
    """Euros."""


PRODUCTS = tuple(
    Product(f"{category}-{n}", f"{kind} No. {n}", category, 10 * n + 9)
    for n in range(1, 16)
    for category, kind in (("shoes", "Trail Shoe"), ("coats", "Rain Coat"))
)


@dataclass(frozen=True, slots=True)
class Line:
    """Something in the cart."""

    product: Product
    size: str
    amount: int


@dataclass(slots=True)
class Shop:
    """What was done in the shop."""

    url: str = ""
    searches: list[tuple[str, str]] = field(default_factory=list)
    """Words and category."""
    looked_at: list[str] = field(default_factory=list)
    """Products that the pointer was over."""
    pages: list[int] = field(default_factory=list)
    """Pages of the list that were loaded on scrolling."""
    cart: list[Line] = field(default_factory=list)
    orders: list[dict[str, str]] = field(default_factory=list)
    """The checkout's fields, an order each."""

    @property
    def count(self) -> int:
        """Pieces in the cart."""
        return sum(line.amount for line in self.cart)

    @property
    def total(self) -> int:
        """Euros."""
        return sum(line.amount * line.product.price for line in self.cart)

    def page(self, name: str, /, **words: object) -> Response:
        """A page with its `@WORDS@` filled in, escaped unless they are markup."""
        text = (PAGES / name).read_text()
        for word, value in {"cart": self.count, "total": self.total, **words}.items():
            text = text.replace(f"@{word.upper()}@", value.text if isinstance(value, Markup) else escape(str(value)))
        return HTMLResponse(text, headers={"cache-control": "no-store"})

    def list(self, request: Request) -> Response:
        query, category = request.query_params.get("q", ""), request.query_params.get("category", "")
        self.searches.append((query, category))
        found = _found(query, category)
        return self.page("list.html", query=query, count=len(found), products=_items(found[:PAGE]))

    def more(self, request: Request) -> Response:
        page = int(request.query_params["page"])
        self.pages.append(page)
        found = _found(request.query_params.get("q", ""), request.query_params.get("category", ""))
        return HTMLResponse(_items(found[(page - 1) * PAGE : page * PAGE]).text)

    def looked(self, request: Request) -> Response:
        self.looked_at.append(request.path_params["id"])
        return Response(status_code=204)

    def product(self, request: Request) -> Response:
        shown = product(request.path_params["id"])
        return self.page("product.html", id=shown.id, name=shown.name, price=shown.price)

    async def add(self, request: Request) -> Response:
        form = await _fields(request)
        self.cart.append(Line(product(request.path_params["id"]), form["size"], int(form["amount"])))
        return JSONResponse({"count": self.count})

    def show_cart(self, _: Request) -> Response:
        lines = "".join(
            f"<tr><td>{line.product.name}</td><td>{line.size}</td><td>{line.amount}</td><td>{line.product.price}</td></tr>"
            for line in self.cart
        )
        return self.page("cart.html", lines=Markup(lines))

    def checkout(self, _: Request) -> Response:
        return self.page("checkout.html")

    async def order(self, request: Request) -> Response:
        self.orders.append(await _fields(request))
        return JSONResponse({"number": len(self.orders)})

    def thanks(self, request: Request) -> Response:
        number = request.path_params["number"]
        return self.page("thanks.html", number=number, name=self.orders[number - 1]["name"])

    def receipt(self, request: Request) -> Response:
        rows = "".join(f"{line.product.id},{line.size},{line.amount}\n" for line in self.cart)
        name = f"receipt-{request.path_params['number']}.csv"
        return Response(rows, media_type="text/csv", headers={"content-disposition": f'attachment; filename="{name}"'})


@dataclass(frozen=True, slots=True)
class Markup:
    """HTML that is meant as such."""

    text: str


async def _fields(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def _found(query: str, category: str) -> list[Product]:
    words = query.lower()
    return [each for each in PRODUCTS if words in each.name.lower() and category in {"", each.category}]


def product(name: str) -> Product:
    """The product with that id."""
    return next(each for each in PRODUCTS if each.id == name)


def _items(products: list[Product]) -> Markup:
    return Markup(
        "".join(
            f'<li data-product="{each.id}"><h2><a href="/shop/products/{each.id}">{each.name}</a></h2><p>{each.price} euros</p>'
            for each in products
        )
    )


def _app(shop: Shop) -> Starlette:
    routes = [
        Route("/", lambda _: RedirectResponse("/shop/list")),
        Route("/list", shop.list),
        Route("/more", shop.more),
        Route("/looked/{id}", shop.looked, methods=["POST"]),
        Route("/products/{id}", shop.product),
        Route("/cart", shop.show_cart),
        Route("/cart/{id}", shop.add, methods=["POST"]),
        Route("/checkout", shop.checkout),
        Route("/orders", shop.order, methods=["POST"]),
        Route("/thanks/{number:int}", shop.thanks),
        Route("/receipt/{number:int}", shop.receipt),
        Route("/shop.css", lambda _: FileResponse(PAGES / "shop.css")),
        Route("/list.js", lambda _: FileResponse(PAGES / "list.js")),
    ]
    return Starlette(routes=[Mount("/shop", routes=routes)])


@contextmanager
def running_shop() -> Iterator[Shop]:
    """Open until the block ends."""
    shop = Shop()
    with running_app(_app(shop)) as port:
        shop.url = f"http://127.0.0.1:{port}/shop"
        yield shop
