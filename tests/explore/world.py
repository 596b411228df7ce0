"""One sequence at work: its session ids, what it has open, and what it must find at its end."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from playwright.async_api import Error, Playwright
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from explore.clients import Gone, Raw, Stock, hands
from explore.documented import statuses_of
from explore.rules import READY, SLACK, Broken, check, limit_of
from explore.steps import Step
from support.rfb import Viewer

__all__ = ["Service", "User", "World"]

ENDED: Final = {"completed", "failed", "cancelled"}
MOST: Final = 4
"""Steps under way at once."""
_SOCKET: Final = "WebSocket /ws/{session_id}"
_SCREEN: Final = "WebSocket /users/{user_id}/vnc/ws/{session_id}"


@dataclass(frozen=True, slots=True)
class User:
    """A caller."""

    id: str
    key: str


@dataclass(frozen=True, slots=True)
class Service:
    """What all sequences share."""

    url: str
    users: tuple[User, User]
    port: int
    """Of the pages."""
    playwright: Playwright
    http: httpx.AsyncClient
    """Without a key."""

    @property
    def site(self) -> str:
        """The first of the two sites."""
        return f"http://127.0.0.1:{self.port}"


@dataclass
class World:
    """The state of one sequence."""

    service: Service
    prefix: str
    raws: dict[str, list[Raw]] = field(default_factory=dict)
    stocks: dict[str, list[Stock]] = field(default_factory=dict)
    views: dict[str, list[Viewer]] = field(default_factory=dict)
    refs: dict[str, list[str]] = field(default_factory=dict)
    touched: dict[tuple[int, int], None] = field(default_factory=dict)
    under_way: list["asyncio.Task[None]"] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    # The steps

    async def run(self, step: Step) -> None:
        """Do it, or begin it where the step does not wait. Raises `Broken`."""
        self.touched[(step.user, step.slot)] = None
        if len(self.under_way) >= MOST or step.wait:
            await self.settle_down()
        work = self._act(step)
        if step.wait:
            await work
        else:
            self.under_way.append(asyncio.create_task(work, name=step.act))

    async def settle_down(self) -> None:
        """Wait for what is under way. Raises `Broken` of the first that failed."""
        tasks, self.under_way = self.under_way, []
        failed = [found for found in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(found, BaseException)]
        if failed:
            raise failed[0]

    async def _act(self, step: Step) -> None:
        if "route" in step.args:
            await self.rest(step)
            return
        name = self.name(step.user, step.slot)
        acts: dict[str, Callable[[str, Step], Awaitable[None]]] = {
            "raw open": self._raw_open,
            "raw browser": self._raw,
            "raw page": self._raw,
            "raw junk": self._raw,
            "raw close": self._raw,
            "stock open": self._stock_open,
            "stock": self._stock,
            "stock close": self._stock,
            "view open": self._view_open,
            "view": self._view,
            "view close": self._view,
        }
        await acts[step.act](name, step)

    def name(self, user: int, slot: int) -> str:
        """A session id: each user has one, and they share one."""
        return f"{self.prefix}-{'ab'[user] if slot == 0 else 's'}"

    def _user(self, step: Step) -> User:
        return self.service.users[step.user]

    def _filled(self, value: Any, step: Step) -> Any:
        """What stands for the sites, sessions and refs of this run, put in."""
        if isinstance(value, dict):
            return {name: self._filled(each, step) for name, each in value.items()}
        if not isinstance(value, str):
            return value
        kind, _, number = value.partition(":")
        if kind == "@slot":
            return self.name(step.user, int(number))
        if kind == "@ref":
            known = self.refs.get(self.name(step.user, step.slot)) or ["e0"]
            return known[int(number) % len(known)]
        return value.replace("@site", self.service.site).replace("@other", f"http://localhost:{self.service.port}")

    # REST

    async def rest(self, step: Step) -> httpx.Response | None:
        """Ask, and check the answer. None where there is nothing to ask for."""
        user, name, args = self._user(step), self.name(step.user, step.slot), step.args
        route: str = args["route"]
        if args.get("twin"):
            twin = route.replace("/api/", "/api/users/{user_id}/", 1)
            with contextlib.suppress(KeyError):
                statuses_of(twin)
                route = twin
        method, _, path = route.partition(" ")
        query = self._filled(args.get("query", {}), step)
        path = path.replace("{session_id}", name).replace("{user_id}", user.id)
        if "object_id" in path:
            found = await self._artifact(step)
            if found is None:
                return None
            path = path.replace("{object_id}", found["objectId"])
            if "{owner}" in path:
                path, query = _changed(found["publicUrl"], query.get("change", ""))
        body = self._filled(args["body"], step) if "body" in args else None
        if body is not None and method == "POST" and path.endswith("/sessions"):
            body = {"session_id": name, **body}
        answer = await self.ask(
            route,
            method,
            path,
            key=self._key(args.get("key", "own"), step),
            params=query,
            body=body,
            limit=limit_of(route, body or {}),
        )
        wants = frozenset({401}) if args.get("key") in {"none", "wrong"} and "/api/" in route else None
        check(route, answer, wants=wants)
        if step.act == "tree" and answer.status_code == 200:
            self.refs[name] = [each["ref"] for each in answer.json()["nodes"]]
        return answer

    def _key(self, which: str, step: Step) -> str:
        return {
            "own": self._user(step).key,
            "other": self.service.users[1 - step.user].key,
            "wrong": "osk_wrong",
            "none": "",
        }[which]

    async def ask(
        self, route: str, method: str, path: str, *, key: str, limit: float, params: Any = None, body: Any = None
    ) -> httpx.Response:
        """One request within its limit. Raises `Broken`."""
        begun = time.monotonic()
        try:
            answer = await self.service.http.request(
                method,
                self.service.url + path,
                params=params or None,
                json=body,
                headers={"authorization": f"Bearer {key}"} if key else {},
                timeout=limit + SLACK,
            )
        except httpx.TimeoutException:
            raise Broken("late", f"{route} has not answered after {limit + SLACK:g} s") from None
        except httpx.HTTPError as error:
            raise Broken("no answer", f"{route}: {type(error).__name__} {error}") from None
        took = time.monotonic() - begun
        self.slowest = max(self.slowest, (took, f"{route} {answer.status_code}"))
        return answer

    async def _artifact(self, step: Step) -> dict[str, Any] | None:
        answer = await self.get(step.user, step.slot, "/artifacts")
        found = answer.json().get("artifacts", [])
        chosen: dict[str, Any] | None = found[-1] if found else None
        return chosen

    async def get(self, user: int, slot: int, rest: str, **query: Any) -> httpx.Response:
        route = f"GET /api/sessions/{{session_id}}{rest}"
        path = f"/api/sessions/{self.name(user, slot)}{rest}"
        answer = await self.ask(route, "GET", path, key=self.service.users[user].key, params=query, limit=limit_of(route, {}))
        check(route, answer)
        return answer

    async def status(self, user: int, slot: int) -> dict[str, Any] | None:
        """The session as its owner sees it; None where there is none."""
        answer = await self.get(user, slot, "")
        found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
        return found

    async def _over(self, step: Step) -> bool:
        """Whether the session is not there (any more), which explains a socket that closed."""
        found = await self.status(step.user, step.slot)
        return found is None or found["status"] in ENDED

    # DevTools sockets

    def _ws(self, path: str, query: dict[str, str]) -> str:
        return f"ws{self.service.url.removeprefix('http')}{path}?{urlencode(query)}"

    async def _raw_open(self, name: str, step: Step) -> None:
        query = {"access_token": self._user(step).key, **self._filled(step.args["query"], step)}
        begun = time.monotonic()
        try:
            socket = await connect(self._ws(f"/ws/{name}", query), compression=None, max_size=None, open_timeout=READY + SLACK)
        except InvalidStatus as refused:
            self._refused(_SOCKET, refused.response.status_code, refused.response.body)
        except TimeoutError:
            raise Broken("late", f"{_SOCKET} is not open after {READY + SLACK:g} s") from None
        except (OSError, InvalidHandshake) as error:
            raise Broken("no answer", f"{_SOCKET}: {type(error).__name__} {error}") from None
        else:
            self.raws.setdefault(name, []).append(Raw(socket, step.args["query"]["mode"]).begin())
        self.slowest = max(self.slowest, (time.monotonic() - begun, _SOCKET))

    @staticmethod
    def _refused(route: str, status: int, body: bytes | bytearray | None) -> None:
        if status not in statuses_of(route):
            raise Broken("undocumented status", f"{route} answers {status}: {(body or b'')[:300]!r}")

    async def _raw(self, name: str, step: Step) -> None:
        opened = self.raws.get(name)
        if not opened:
            return
        raw, args = opened[-1], step.args
        try:
            match step.act:
                case "raw browser":
                    params = await self._targets(raw, self._filled(args["params"], step))
                    # On a page's own socket the page answers, or does not.
                    limit = SLACK if raw.mode == "browser" else 1.0
                    await raw.ask(args["method"], params, limit=limit)
                case "raw page":
                    await raw.on_page(args["target"], args["method"], self._filled(args["params"], step), limit=SLACK)
                case "raw junk":
                    await raw.junk(args["frame"], limit=SLACK)
                case _:
                    opened.remove(raw)
                    await raw.close(args["how"])
        except Gone:
            if raw in opened:
                opened.remove(raw)
        except TimeoutError:
            if raw.mode == "browser" and not await self._over(step):
                raise Broken("late", f"DevTools has not answered {args.get('method', args)} after {SLACK:g} s") from None

    @staticmethod
    async def _targets(raw: Raw, params: dict[str, Any]) -> dict[str, Any]:
        """With the id of a page where the step names one by number."""
        if not str(params.get("targetId", "")).startswith("@target:") or raw.mode != "browser":
            return params
        found = await raw.pages(limit=SLACK)
        number = int(params["targetId"].partition(":")[2])
        return params | {"targetId": found[number % len(found)] if found else "none"}

    async def _stock_open(self, name: str, step: Step) -> None:
        """Playwright asks every page before it is connected; one that hangs keeps it waiting, as on a Chromium of its own."""
        url = self._ws(f"/ws/{name}", {"mode": "browser", "access_token": self._user(step).key})
        with contextlib.suppress(Error):
            browser = await self.service.playwright.chromium.connect_over_cdp(url, timeout=1000 * SLACK)
            self.stocks.setdefault(name, []).append(Stock(browser))

    async def _stock(self, name: str, step: Step) -> None:
        opened = self.stocks.get(name)
        if not opened:
            return
        stock = opened[-1]
        if step.act == "stock close" or not stock.browser.is_connected():
            opened.remove(stock)
            await stock.close()
        else:
            args = step.args
            await stock.do(args["do"], url=self._filled(args["url"], step), page=args["page"])

    # The live view

    async def _view_open(self, name: str, step: Step) -> None:
        url = self._ws(f"/users/{self._user(step).id}/vnc/ws/{name}", {"access_token": self._user(step).key})
        try:
            socket = await connect(url, compression=None, max_size=None, subprotocols=["binary"], open_timeout=READY + SLACK)  # type: ignore[list-item]
            self.views.setdefault(name, []).append(await Viewer.join(socket))
        except InvalidStatus as refused:
            self._refused(_SCREEN, refused.response.status_code, refused.response.body)
            if refused.response.status_code == 502 and not await self._over(step):
                raise Broken("no live view", f"{_SCREEN} answers 502: {refused.response.body!r}") from None
        except TimeoutError:
            raise Broken("late", f"{_SCREEN} is not open after {READY + SLACK:g} s") from None
        except ConnectionClosed as error:
            if not await self._over(step):
                raise Broken("closed", f"{_SCREEN} closes in the handshake of a session that lives: {error}") from None
        except (OSError, InvalidHandshake) as error:
            raise Broken("no answer", f"{_SCREEN}: {type(error).__name__} {error}") from None

    async def _view(self, name: str, step: Step) -> None:
        opened = self.views.get(name)
        if not opened:
            return
        viewer = opened[-1]
        try:
            if step.act == "view close":
                opened.remove(viewer)
                await viewer.socket.close()
            else:
                await hands(viewer, step.args["do"], x=step.args["x"], y=step.args["y"], text=step.args["text"])
        except (Gone, ConnectionClosed):
            opened.remove(viewer)
        except TimeoutError:
            if not await self._over(step):
                raise Broken("late", f"the screen has not answered {step.args['do']} after 60 s") from None
        except AssertionError:
            opened.remove(viewer)  # bytes after junk mean nothing
            await viewer.socket.close()

    # The end

    async def close(self) -> None:
        """Let go of everything, whatever happened: no session of it is left."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)
        closing: list[Awaitable[None]] = [each.close() for opened in self.raws.values() for each in opened]
        closing += [each.close() for opened in self.stocks.values() for each in opened]
        closing += [each.socket.close() for opened in self.views.values() for each in opened]
        await asyncio.gather(*closing, return_exceptions=True)
        for user, slot in self.touched:
            path = f"/api/sessions/{self.name(user, slot)}"
            with contextlib.suppress(Broken):
                await self.ask("DELETE", "DELETE", path, key=self.service.users[user].key, limit=30)


def _changed(link: str, what: str) -> tuple[str, dict[str, str]]:
    """A signed link as path and query, with one of its parts changed."""
    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query))
    if what:
        query[what] = query[what][:-1] + ("1" if query[what][-1] != "1" else "2")
    return parts.path, query
