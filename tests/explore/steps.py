"""What a caller can do, as values. A step is drawn without a look at the service, so it can be replayed, and left out."""

import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from explore.pages import DEEDS, ROUTES, SLOW

__all__ = ["LENGTH", "Step", "draw", "sequence", "written"]

LENGTH: Final = 40
"""Steps of a sequence: enough for two runs of a session, few enough to read."""
SLOTS: Final = 2
"""Session ids of a sequence."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one of two callers does to one of a sequence's session ids."""

    act: str
    user: int
    slot: int
    args: dict[str, Any] = field(default_factory=dict)
    wait: bool = True
    """False: the next steps begin while this one is under way."""

    @classmethod
    def read(cls, line: str) -> "Step":
        """From a line that `written` made."""
        return cls(**json.loads(line))


def written(steps: list[Step]) -> str:
    """A line for each, to be replayed."""
    return "\n".join(json.dumps({name: value for name, value in asdict(step).items() if value or name != "args"}) for step in steps)


R = random.Random
Draw = Callable[[R], dict[str, Any]]


def _url(r: R) -> str:
    """A page; `@site` and `@other` stand for the two sites, wherever they listen."""
    host = r.choice(["@site", "@site", "@other"])
    if r.random() < 0.15:
        return f"{host}/{r.choice(ROUTES)}"
    if r.random() < 0.08:
        odd = [
            "about:blank",
            "data:text/html,<title>d</title><button id=b>b</button>",
            "http://127.0.0.1:9/",
            "http://nowhere.invalid/x?q=secret",
        ]
        return r.choice([*odd, "file:///etc/passwd", "chrome://crash", "javascript:alert(1)", "not a url", f"{host}/well#part"])
    name = r.choice(DEEDS)
    while name in SLOW and r.random() < 0.8:
        name = r.choice(DEEDS)
    return f"{host}/{name}"


def _timeout(r: R) -> dict[str, Any]:
    return {"timeout": r.choice([0.05, 0.5, 1, 2, 3])} if r.random() < 0.85 else {}


def _rest(route: str, query: Draw = lambda r: {}, body: Draw | None = None) -> Draw:
    def drawn(r: R) -> dict[str, Any]:
        keys = {"key": r.choice(["none", "wrong", "other"])} if r.random() < 0.02 else {}
        asked = {"query": found} if (found := query(r)) else {}
        sent = {"body": body(r)} if body is not None else {}
        return {"route": route, **({"twin": True} if r.random() < 0.3 else {}), **keys, **asked, **sent}

    return drawn


def _create(r: R) -> dict[str, Any]:
    body: dict[str, Any] = {"url": _url(r)} if r.random() < 0.7 else {}
    if r.random() < 0.1:
        body["from"] = f"@slot:{r.randrange(SLOTS)}"
    if r.random() < 0.1:
        body["ephemeral"] = True
    if r.random() < 0.1:
        body["options"] = {"viewport": {"width": r.choice([100, 800, 1280, 3840]), "height": r.choice([100, 600, 2160])}}
    if r.random() < 0.03:
        body["initialPrompt"] = r.choice(["@site/well", "buy milk"])
    return body


def _element(r: R) -> dict[str, Any]:
    if r.random() < 0.25:
        return {"ref": f"@ref:{r.randrange(8)}"}
    return {"selector": r.choice(["#b", "#b", "#b", "#i", "#s", "#a", "#m", "h1", "#none", "button", "[", "iframe"])}


def _action(r: R) -> dict[str, Any]:
    kind = r.choice(["click", "click", "click", "type", "fill", "press", "focus", "hover", "select", "scroll"])
    body: dict[str, Any] = {"kind": kind, **_timeout(r)}
    if kind in {"click", "hover"} and r.random() < 0.3:
        body |= {"x": r.choice([5, 60, 640, 5000]), "y": r.choice([5, 60, 360, 5000])}
    elif kind not in {"press", "type", "scroll"} or r.random() < 0.5:
        body |= _element(r)
    if kind in {"type", "fill"}:
        body["text"] = r.choice(["abc", "", "ä漢😀", "line\nline", "x" * 300])
    if kind == "press":
        body["key"] = r.choice(["Enter", "Tab", "Escape", "Space", "a", "End", "Nonsense"])
    if kind == "select":
        body["value"] = r.choice(["one", "two", "three"])
    if kind == "scroll":
        body["scrollY"] = r.choice([100, -100, 5000])
    return body


def _picture(r: R) -> dict[str, Any]:
    query: dict[str, Any] = {"raw": "true"} if r.random() < 0.5 else {}
    if r.random() < 0.2:
        query["quality"] = r.choice([1, 80, 100, 101])
    if r.random() < 0.25:
        query |= {
            "x": r.choice([0, 10]),
            "y": r.choice([0, 4000]),
            "width": r.choice([1, 300, 9000]),
            "height": r.choice([1, 300, 9000]),
        }
    return query


def _image(r: R) -> dict[str, Any]:
    return _element(r) | ({"raw": "true"} if r.random() < 0.5 else {})


def _page_of(r: R) -> dict[str, Any]:
    return {"offset": r.choice([0, 1, 50]), "limit": r.choice([1, 10, 1000, 1001])} if r.random() < 0.5 else {}


_S = "/api/sessions"
_ONE = f"{_S}/{{session_id}}"
_KEPT = "/api/stored-sessions"
CDP: Final[dict[str, Draw]] = {
    "Target.getTargets": lambda r: {},
    "Browser.getVersion": lambda r: {},
    "Target.createTarget": lambda r: {"url": _url(r), "background": r.random() < 0.3, "newWindow": r.random() < 0.3},
    "Target.createBrowserContext": lambda r: {},
    "Target.setDiscoverTargets": lambda r: {"discover": True},
    "Target.setAutoAttach": lambda r: {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True},
    "Target.activateTarget": lambda r: {"targetId": f"@target:{r.randrange(4)}"},
    "Target.closeTarget": lambda r: {"targetId": f"@target:{r.randrange(4)}"},
    "Browser.setDownloadBehavior": lambda r: {"behavior": r.choice(["deny", "default", "allow"]), "downloadPath": "/tmp/nowhere"},
    "Browser.grantPermissions": lambda r: {"permissions": ["geolocation", "notifications"]},
    "Browser.close": lambda r: {},
    "Nonsense.method": lambda r: {"a": [1, {"b": "\ud800"}]},
}
ON_PAGE: Final[dict[str, Draw]] = {
    "Runtime.evaluate": lambda r: {
        "expression": r.choice(
            ["1 + 1", "alert(1)", "open('popup')", "location.href = 'moves20'", "close()", "print()", "debugger", "for (;;);"]
        ),
        "userGesture": True,
    },
    "Page.navigate": lambda r: {"url": _url(r)},
    "Page.reload": lambda r: {},
    "Page.enable": lambda r: {},
    "Runtime.enable": lambda r: {},
    "Network.enable": lambda r: {},
    "Page.handleJavaScriptDialog": lambda r: {"accept": r.random() < 0.5},
    "Page.bringToFront": lambda r: {},
    "Page.close": lambda r: {},
    "Page.crash": lambda r: {},
    "Page.stopLoading": lambda r: {},
    "Page.captureScreenshot": lambda r: {},
    "Emulation.setDeviceMetricsOverride": lambda r: {"width": 2000, "height": 1500, "deviceScaleFactor": 2, "mobile": True},
    "Emulation.setScriptExecutionDisabled": lambda r: {"value": r.random() < 0.5},
    "Input.insertText": lambda r: {"text": "漢字"},
    "Storage.clearDataForOrigin": lambda r: {"origin": "@site", "storageTypes": "all"},
}


def _opened(r: R) -> dict[str, Any]:
    query: dict[str, Any] = {"mode": r.choice(["browser", "browser", "browser", "page"])}
    if r.random() < 0.4:
        query["url"] = _url(r)
    if r.random() < 0.05:
        query |= r.choice([{"mode": "neither"}, {"from": "nothing"}, {"ephemeral": "true"}, {"access_token": "wrong"}])
    return {"query": query}


def _command(commands: dict[str, Draw]) -> Draw:
    def drawn(r: R) -> dict[str, Any]:
        names = list(commands)
        name = r.choice(names)
        while name in {"Browser.close", "Page.crash"} and r.random() < 0.7:
            name = r.choice(names)
        return {"method": name, "params": commands[name](r), "target": r.randrange(4)}

    return drawn


def _one_of(key: str, *values: Any) -> Draw:
    return lambda r: {key: r.choice(values)}


ACTS: Final[dict[str, tuple[float, Draw]]] = {
    "create": (3, _rest(f"POST {_S}", body=_create)),
    "list": (1.5, _rest(f"GET {_S}", lambda r: {**_page_of(r), "includeTerminated": r.choice(["true", "false"])})),
    "get": (3, _rest(f"GET {_ONE}")),
    "delete": (0.9, _rest(f"DELETE {_ONE}")),
    "ping": (1.5, _rest(f"POST {_ONE}/ping")),
    "well": (1.5, _rest(f"GET {_ONE}/health")),
    "navigate": (
        6,
        _rest(
            f"POST {_ONE}/navigate",
            body=lambda r: {
                "url": _url(r),
                **_timeout(r),
                **({"newTab": True} if r.random() < 0.3 else {}),
                **({"blockImages": True} if r.random() < 0.05 else {}),
            },
        ),
    ),
    "location": (
        0.7,
        _rest(f"POST {_ONE}/location", body=lambda r: {"latitude": r.choice([0, 37.7, 91]), "longitude": -122, "accuracy": 5}),
    ),
    "action": (8, _rest(f"POST {_ONE}/action", body=_action)),
    "html": (1.5, _rest(f"GET {_ONE}/html")),
    "tree": (2, _rest(f"GET {_ONE}/json", lambda r: {"filter": "interactive"} if r.random() < 0.3 else {})),
    "text": (3, _rest(f"GET {_ONE}/text", _one_of("mode", "raw", "readable", "neither"))),
    "size": (1, _rest(f"GET {_ONE}/page-size")),
    "screenshot": (2, _rest(f"GET {_ONE}/screenshot", _picture)),
    "image": (1, _rest(f"GET {_ONE}/image", _image)),
    "actions": (1, _rest(f"GET {_ONE}/actions", _page_of)),
    "console": (1, _rest(f"GET {_ONE}/console", lambda r: _page_of(r) | ({"level": "error"} if r.random() < 0.2 else {}))),
    "network": (1, _rest(f"GET {_ONE}/network", _page_of)),
    "events": (1, _rest(f"GET {_ONE}/events", lambda r: {"after": r.choice([0, 3, 10**6]), "limit": r.choice([1, 1000])})),
    "artifacts": (0.7, _rest(f"GET {_ONE}/artifacts")),
    "artifact": (0.7, _rest(f"GET {_ONE}/artifacts/{{object_id}}")),
    "artifact delete": (0.3, _rest(f"DELETE {_ONE}/artifacts/{{object_id}}")),
    "artifacts delete": (0.2, _rest(f"DELETE {_ONE}/artifacts")),
    "link": (0.5, _rest("GET /artifacts/{owner}/{object_id}", _one_of("change", "", "", "expires", "signature"))),
    "kept": (0.5, _rest(f"GET {_KEPT}")),
    "kept one": (0.5, _rest(f"GET {_KEPT}/{{session_id}}")),
    "kept put": (0.3, _rest(f"PUT {_KEPT}/{{session_id}}", body=lambda r: {"url": r.choice(["@site/well", "@site/keep", None])})),
    "kept delete": (0.2, _rest(f"DELETE {_KEPT}/{{session_id}}")),
    "view page": (0.4, _rest("GET /users/{user_id}/vnc/{session_id}")),
    "health": (0.2, _rest("GET /health")),
    "ready": (0.2, _rest("GET /ready")),
    "metrics": (0.2, _rest("GET /metrics")),
    "raw open": (1.5, _opened),
    "raw browser": (3, _command(CDP)),
    "raw page": (4, _command(ON_PAGE)),
    "raw junk": (0.5, _one_of("frame", "text", "binary", "ping", "large", "number", "bad id")),
    "raw close": (0.7, _one_of("how", "close", "reset")),
    "stock open": (0.7, lambda r: {}),
    "stock": (
        4,
        lambda r: {
            "do": r.choice(
                ["goto", "new page", "new context", "title", "click", "front", "close page", "dialogs", "route", "reload"]
            ),
            "url": _url(r),
            "page": r.randrange(4),
        },
    ),
    "stock close": (0.4, lambda r: {}),
    "view open": (0.8, lambda r: {}),
    "view": (
        3,
        lambda r: {
            "do": r.choice(["click", "type", "keys", "tabs", "paste", "wheel", "look", "junk"]),
            "x": r.randrange(0, 1280),
            "y": r.randrange(0, 800),
            "text": r.choice(["abc", "\n", "漢字ж", "q" * 50]),
        },
    ),
    "view close": (0.3, lambda r: {}),
}
"""What there is to do -> how often, and with what."""


def draw(r: R, act: str, *, user: int, slot: int) -> Step:
    """One step of a kind."""
    return Step(act, user, slot, ACTS[act][1](r), wait=r.random() < 0.85)


def sequence(seed: str, length: int = LENGTH) -> list[Step]:
    """Always the same of a seed. A session is begun before it is used, mostly; nothing else is known here of how things are."""
    r = random.Random(seed)
    names, weights = list(ACTS), [weight for weight, _ in ACTS.values()]
    begun: dict[tuple[int, int], set[str]] = {}
    steps: list[Step] = []
    while len(steps) < length:
        user, slot = int(r.random() < 0.2), int(r.random() < 0.25)
        open_ones = begun.setdefault((user, slot), set())
        if not open_ones and r.random() < 0.8:
            act = r.choices(["create", "raw open", "stock open"], [4, 1, 1])[0]
        else:
            act = r.choices(names, weights)[0]
        client = act.split()[0]
        if client in {"raw", "stock", "view"} and not act.endswith("open") and client not in open_ones and act != "view page":
            act = f"{client} open"
        steps.append(draw(r, act, user=user, slot=slot))
        if act in {"delete", "raw close", "stock close", "view close"}:
            open_ones.discard(client)
            if act == "delete":
                open_ones.clear()
        elif act == "create" or act.endswith("open"):
            open_ones |= {"session", client}
    return steps
