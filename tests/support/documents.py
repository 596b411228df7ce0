"""What the two documents of these paths promise, sentence by sentence, as a table: endpoints with their parameters, statuses and
fields. Names are `document: heading`. What cannot be met yet, and why, is in docs/api.md.
"""

from dataclasses import dataclass

__all__ = ["DOCUMENTED", "Documented"]


@dataclass(frozen=True)
class Documented:
    """One endpoint as its document describes it."""

    name: str
    """Document and heading."""
    method: str
    path: str
    parameters: tuple[str, ...] = ()
    """Of the query."""
    body: tuple[str, ...] = ()
    statuses: tuple[int, ...] = (200,)
    fields: tuple[str, ...] = ()
    """Of the answer; `a.b` is a field of an object or of a list's entries."""
    both: bool = True
    """Also with the user in the path."""
    example: dict[str, object] | None = None
    """A body that works."""
    query: str = ""
    """A query that works."""


_S = "/api/sessions"
_ONE = f"{_S}/{{session_id}}"
_STORED = "/api/stored-sessions"
_LISTED = ("sessions", "sessions.session_id", "sessions.created_at", "sessions.active_ws_connections", "count")
_SHOWN = ("session_id", "created_at", "active_ws_connections")
_PICTURE = ("format", "base64")
_METADATA = ("session_id", "metadata", "metadata.url")

DOCUMENTED = [
    Documented("RBS: Health Check", "GET", "/health", fields=("status", "service", "active_sessions"), both=False),
    Documented("RBS: List Sessions", "GET", _S, fields=_LISTED, statuses=(200, 401)),
    Documented(
        "RBS: Create Session",
        "POST",
        _S,
        body=("session_id", "url", "from", "ephemeral"),
        fields=_SHOWN,
        statuses=(200, 400, 401, 403, 503),
        example={"session_id": "made-by-rbs", "url": "https://example.com"},
    ),
    Documented("RBS: Get Session", "GET", _ONE, fields=_SHOWN, statuses=(200, 401, 404)),
    Documented("RBS: Ping Session", "POST", f"{_ONE}/ping", fields=("session_id", "ok"), statuses=(200, 401, 404)),
    Documented("RBS: Terminate Session", "DELETE", _ONE, fields=("session_id", "deleted"), statuses=(200, 401, 404)),
    Documented(
        "RBS: Navigate",
        "POST",
        f"{_ONE}/navigate",
        body=("url", "timeout", "blockImages", "newTab"),
        fields=("url", "frameId"),
        statuses=(200, 400, 401, 404, 502),
        example={"url": "https://example.com", "timeout": 30, "blockImages": False, "newTab": False},
    ),
    Documented(
        "RBS: Set Location",
        "POST",
        f"{_ONE}/location",
        body=("latitude", "longitude", "accuracy"),
        fields=("latitude", "longitude", "accuracy"),
        statuses=(200, 400, 401, 404, 502),
        example={"latitude": 37.7749, "longitude": -122.4194, "accuracy": 100},
    ),
    Documented("RBS: HTML Snapshot", "GET", f"{_ONE}/html", statuses=(200, 401, 404, 502)),
    Documented(
        "RBS: Accessibility Tree",
        "GET",
        f"{_ONE}/json",
        parameters=("filter", "depth"),
        fields=("nodes", "nodes.ref", "nodes.role", "nodes.name", "nodes.depth", "nodes.value", "count"),
        statuses=(200, 401, 404, 502),
        query="filter=interactive&depth=-1",
    ),
    Documented(
        "RBS: Extract Text",
        "GET",
        f"{_ONE}/text",
        parameters=("mode",),
        fields=("url", "title", "text"),
        statuses=(200, 401, 404, 502),
        query="mode=raw",
    ),
    Documented(
        "RBS: Screenshot",
        "GET",
        f"{_ONE}/screenshot",
        parameters=("quality", "raw", "x", "y", "width", "height"),
        fields=_PICTURE,
        statuses=(200, 401, 404, 502),
        query="quality=80&x=0&y=0&width=100&height=100",
    ),
    Documented("RBS: Page Size", "GET", f"{_ONE}/page-size", fields=("width", "height"), statuses=(200, 401, 404, 502)),
    Documented(
        "RBS: Image",
        "GET",
        f"{_ONE}/image",
        parameters=("selector", "ref", "quality", "raw"),
        fields=_PICTURE,
        statuses=(200, 400, 401, 404, 502),
        query="selector=img.hero",
    ),
    Documented(
        "RBS: Browser Action",
        "POST",
        f"{_ONE}/action",
        body=("kind", "selector", "ref", "x", "y", "text", "key", "value", "scrollY"),
        fields=("kind", "ok"),
        statuses=(200, 400, 401, 404, 502),
        example={"kind": "click", "selector": "button.submit"},
    ),
    Documented("RBS: List Stored Sessions", "GET", _STORED, fields=("sessions", "count"), statuses=(200, 401, 503)),
    Documented(
        "RBS: Get Stored Session Metadata", "GET", f"{_STORED}/{{session_id}}", fields=_METADATA, statuses=(200, 401, 404, 503)
    ),
    Documented(
        "RBS: Put Stored Session Metadata",
        "PUT",
        f"{_STORED}/{{session_id}}",
        body=("url",),
        fields=_METADATA,
        statuses=(200, 400, 401, 404, 503),
        example={"url": "https://example.com"},
    ),
    Documented(
        "RBS: Delete Stored Session",
        "DELETE",
        f"{_STORED}/{{session_id}}",
        fields=("session_id", "deleted"),
        statuses=(200, 401, 404, 503),
    ),
    Documented(
        "SAPI: Create a new browser session",
        "POST",
        _S,
        body=(
            "initialPrompt",
            "options",
            "options.browser",
            "options.viewport",
            "options.viewport.width",
            "options.viewport.height",
        ),
        fields=("sessionId", "status", "machineId"),
        example={
            "initialPrompt": "https://example.com",
            "options": {"browser": "chromium", "viewport": {"width": 800, "height": 600}},
        },
    ),
    Documented(
        "SAPI: List sessions for the authenticated user",
        "GET",
        _S,
        parameters=("limit", "offset", "includeTerminated"),
        fields=(
            "sessions",
            "sessions.sessionId",
            "sessions.status",
            "sessions.currentUrl",
            "sessions.createdAt",
            "sessions.navigationCount",
            "total",
            "hasMore",
        ),
        query="limit=30&offset=0&includeTerminated=true",
    ),
    Documented(
        "SAPI: Get details for a specific session",
        "GET",
        _ONE,
        fields=(
            "sessionId",
            "status",
            "currentUrl",
            "title",
            "actionCount",
            "screenshotCount",
            "duration",
            "navigationHistory",
            "navigationHistory.url",
        ),
        statuses=(200, 401, 404),
    ),
    Documented("SAPI: Terminate a session", "DELETE", _ONE, fields=("success", "message"), statuses=(200, 401, 404)),
    Documented(
        "SAPI: Get the action log",
        "GET",
        f"{_ONE}/actions",
        parameters=("offset", "limit"),
        fields=(
            "actions",
            "actions.type",
            "actions.timestamp",
            "actions.success",
            "actions.details",
            "actions.duration",
            "actions.cost",
            "total",
        ),
        statuses=(200, 401, 404),
        query="offset=0&limit=100",
    ),
    Documented(
        "SAPI: List all artifacts",
        "GET",
        f"{_ONE}/artifacts",
        fields=("artifacts", "artifacts.objectId", "artifacts.type", "artifacts.publicUrl", "artifacts.timestamp"),
        statuses=(200, 401, 404),
    ),
    Documented(
        "SAPI: Health check for a specific session",
        "GET",
        f"{_ONE}/health",
        fields=("status", "sessionState", "browserResponsive", "currentUrl", "uptimeMs"),
        statuses=(200, 401, 404),
    ),
    Documented(
        "SAPI: Get console log entries",
        "GET",
        f"{_ONE}/console",
        fields=("logs", "logs.level", "logs.message", "logs.timestamp"),
        statuses=(200, 401, 404),
    ),
    Documented(
        "SAPI: Get network requests",
        "GET",
        f"{_ONE}/network",
        fields=("requests", "requests.url", "requests.method", "requests.status", "requests.duration", "requests.size"),
        statuses=(200, 401, 404),
    ),
]
