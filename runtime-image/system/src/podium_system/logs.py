"""Structured logs: one JSON object a line on stderr, an event's name and its fields.

Messages are event names (`session_ready`), facts go in `extra`. Nothing here ever sees a query string or a header, and a field
whose name says that it is a secret is not printed.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

__all__ = ["configure"]

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_SECRET: Final = ("token", "secret", "password", "authorization", "api_key", "cookie")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                entry[name] = "…" if any(word in name.lower() for word in _SECRET) else value
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class _NotADenial(logging.Filter):
    # uvicorn calls a denied WebSocket handshake an application error, though the denial was answered as ASGI says.
    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing handshake" not in record.getMessage()


def configure(level: str) -> None:
    """Send all logs of this process to stderr at `level` (DEBUG, INFO, WARNING, ERROR)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").addFilter(_NotADenial())
    for noisy in ("httpx", "httpcore", "websockets", "uvicorn", "alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
