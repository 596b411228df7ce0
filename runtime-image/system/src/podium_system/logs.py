"""Structured logs: one JSON object a line on stderr, an event's name and its fields.

Messages are event names (`session_ready`), facts go in `extra`. Of a URL, wherever in a line it stands, neither user name and
password nor query and fragment are printed, nor is a field whose name says that it is a secret.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

__all__ = ["configure"]

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
# End of the scheme, credentials up to the last @ of the authority, authority and path, then what is left out. Both take a time in
# proportion to the text, which may be a page's: no match begins anew within what another has read.
_URL: Final = re.compile(r"([a-z0-9+.\-]:[/\\]{2,})(?:[^\s/\\?#]*@)?([^\s?#\"'<>]*)(?:[?#][^\s\"'<>]*)?", re.IGNORECASE)
_DATA_URL: Final = re.compile(r"(\bdata:(?:(?!\bdata:)[^\s,])*),[^\s\"'<>]*", re.IGNORECASE)
_DRIVERS: Final = ("aiosqlite", "asyncpg", "sqlalchemy")
_CLIENTS: Final = ("aiohttp", "httpcore", "httpx", "kubernetes")
_NOISY: Final = (*_DRIVERS, *_CLIENTS, "alembic", "asyncio", "trafilatura", "uvicorn", "websockets")
"""Libraries that are heard from WARNING on: below it drivers tell statements with their values, and clients whole answers."""
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
                entry[name] = "…" if any(word in name.lower() for word in _SECRET) else _printable(value)
        if record.exc_info:
            entry["exception"] = _printable(self.formatException(record.exc_info))
        return json.dumps(entry, default=str, ensure_ascii=False)


def _printable(value: object) -> object:
    if isinstance(value, str):
        value = _URL.sub(r"\1\2", value) if "://" in value or ":\\" in value else value
        return _DATA_URL.sub(r"\1,…", value) if "data:" in value.lower() else value
    if isinstance(value, list | tuple):
        return [_printable(one) for one in value]
    return {name: _printable(one) for name, one in value.items()} if isinstance(value, dict) else value


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
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
