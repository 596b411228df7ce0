"""What is written to consoles, by pages and by the browser itself, as entries of the record.

A page's own lines and errors that nothing caught come from `Runtime`; failed loads, CSP, CORS, mixed content and interventions
from `Log`, deprecations from `Audits`. What a worker's target tells itself `Log` repeats on its page, as source `worker`.
"""

from collections.abc import Callable
from typing import Any, Final

from podium_agent.cdp import CdpConnection, Params
from podium_protocol.events import EventType
from podium_protocol.urls import without_credentials

__all__ = ["MAX_TEXT", "Console", "printed", "recorded_url"]

MAX_TEXT: Final = 10_000
"""Characters kept of a console message, a URL or an exception."""
MAX_DATA_URL: Final = 200
_LEVELS: Final = {"warning": "warning", "error": "error", "assert": "error", "debug": "debug", "info": "info", "verbose": "debug"}

Add = Callable[[EventType, str | None, dict[str, Any]], None]
"""Records an event of the target behind a session."""


class Console:
    """Turns what targets tell of their consoles into `console.message`."""

    def __init__(self, connection: CdpConnection, add: Add) -> None:
        self._add = add
        connection.on("Runtime.consoleAPICalled", self._called)
        connection.on("Runtime.exceptionThrown", self._thrown)
        connection.on("Log.entryAdded", self._logged)
        connection.on("Audits.issueAdded", self._issue)

    def _called(self, params: Params, session: str | None) -> None:
        frames = params.get("stackTrace", {}).get("callFrames") or [{}]
        text = " ".join(map(printed, params["args"]))
        self._write(session, text, level=params["type"], kind=params["type"], place=frames[0])

    def _thrown(self, params: Params, session: str | None) -> None:
        details = params["exceptionDetails"]
        thrown = details.get("exception", {})
        text = thrown.get("description") or details.get("text", "")
        self._write(session, text, level="error", kind="exception", place=details)

    def _logged(self, params: Params, session: str | None) -> None:
        entry = params["entry"]
        if entry["source"] != "worker":
            self._write(session, entry["text"], level=entry["level"], kind=entry["source"], place=entry)

    def _issue(self, params: Params, session: str | None) -> None:
        details = params["issue"]["details"].get("deprecationIssueDetails")
        if details is not None:
            text = f"[Deprecation] {details.get('type', '')}"
            self._write(session, text, level="warning", kind="deprecation", place=details.get("sourceCodeLocation", {}))

    def _write(self, session: str | None, text: str, *, level: str, kind: str, place: Params) -> None:
        data = {
            "level": _LEVELS.get(level, "log"),
            "kind": kind,
            "text": without_credentials(text[: 2 * MAX_TEXT])[:MAX_TEXT],
            "url": recorded_url(place.get("url", "")),
            "line": place.get("lineNumber"),
        }
        self._add(EventType.CONSOLE_MESSAGE, session, data)


def recorded_url(url: str) -> str:
    """A URL as it is kept: without credentials, and not longer than of use."""
    return url[:MAX_DATA_URL] if url.startswith("data:") else without_credentials(url)[:MAX_TEXT]


def printed(argument: Params) -> str:
    """An argument of a console call as Playwright prints it: `{a: 1, b: Array(2)}`, out of the preview that comes with it.

    A preview holds at most five properties of an object and a hundred entries of an array, each cut at a hundred characters.
    """
    value = argument.get("value")
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or argument.get("subtype") == "null":
        return "null" if value is None else str(value).lower()
    preview = argument.get("preview")
    if preview is not None and argument.get("description") == "Object":
        shown = (f"{one['name']}: {_shown(one)}" for one in preview["properties"])
        return f"{{{', '.join(shown)}}}"
    if preview is not None and argument.get("subtype") == "array":
        return f"[{', '.join(_places(preview['properties']))}]"
    return str(argument.get("unserializableValue") or argument.get("description") or argument["type"])


def _shown(one: Params) -> str:
    # A getter has no value: it was not called.
    return str(one.get("value", "undefined"))


def _places(properties: list[Params]) -> list[str]:
    """An array's entries, and how many places between them are empty."""
    tokens: list[str] = []
    last = -1
    for index, shown in sorted((int(one["name"]), _shown(one)) for one in properties if one["name"].isdecimal()):
        empty = index - last - 1
        if empty:
            tokens.append("empty" if empty == 1 else f"empty x {empty}")
        tokens.append(shown)
        last = index
    return tokens
