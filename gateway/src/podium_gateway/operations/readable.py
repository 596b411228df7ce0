"""The readable text of a page, made in a process of its own: 50 ms and more of parsing, which a loop that carries everybody's
bytes cannot spare.

One process, started when it is first needed and again when it has died; one page at a time. Without an answer in time there is
none, and the caller falls back to all of the page's text.
"""

import asyncio
import contextlib
import logging
import os
import struct
import sys
from typing import Final

from podium_protocol.operations import PageText

__all__ = ["Extractor", "chosen"]

log = logging.getLogger(__name__)

LIMIT: Final = 10.0
"""Seconds for one page, its wait for the one before it included; 65 ms for a page of 1,500 elements."""
MAX_DOCUMENT: Final = 16 << 20
"""Bytes of a document that are worth trying."""
STOP_LIMIT: Final = 2.0
LONG: Final = 2000
"""Characters from which on an article is one, whatever stands around it: some 300 words."""
_COMMAND: Final = (sys.executable, "-m", "podium_gateway.operations.reader")


def chosen(page: PageText, article: str | None) -> str:
    """What is to be read on a page: its article, or all but its menus where that is no more than a part of what the page is about.

    What a page says to whoever uses it (headline, messages, dialogs) stands before an article that left it out.
    """
    whole = page.main or page.text
    if not article:
        return whole
    if len(article) < LONG and (page.form or 2 * len(article) < len(whole)):
        return whole
    there = " ".join(article.split())
    return "\n\n".join([*(one for one in page.said if one not in there), article])


class Extractor:
    """Owns the process."""

    def __init__(self, *, limit: float = LIMIT, command: tuple[str, ...] = _COMMAND) -> None:
        self._limit = limit
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def extract(self, document: bytes, *, url: str) -> str | None:
        """The article in a document (UTF-8); None where there is none, or it took too long."""
        if len(document) > MAX_DOCUMENT:
            return None
        try:
            async with asyncio.timeout(self._limit), self._turn:
                try:
                    return await self._ask(url.encode(errors="replace"), document)
                except BaseException:  # cancelled, too: half an answer may be on its way, and the next page must not get it
                    await self.close()
                    raise
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            log.warning("text_not_extracted", extra={"error": repr(error), "size": len(document)})
            return None

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT):
                await process.wait()

    async def _ask(self, url: bytes, document: bytes) -> str | None:
        process = await self._running()
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        for part in (url, document):
            process.stdin.write(struct.pack(">I", len(part)) + part)
        await process.stdin.drain()
        (length,) = struct.unpack(">I", await process.stdout.readexactly(4))
        return (await process.stdout.readexactly(length)).decode() or None

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                str(os.getpid()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                # Nothing of ours: no settings, no secrets.
                env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )
        return self._process
