"""The browser's clipboard as X keeps it (ICCCM, section 2, and XFIXES): what it copies, and what a viewer gives it to paste.

The X clipboard is whoever owns the selection CLIPBOARD and answers requests for it; so we own it while it holds a viewer's
text, and ask its owner when the browser has copied something. Text is UTF-8, at most 1 MiB, both ways.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Final

from podium_agent.x11 import CURRENT_TIME, X11, padded

__all__ = ["MAX_TEXT", "Clipboard"]

MAX_TEXT: Final = 1 << 20
"""Bytes of UTF-8."""
TRANSFER_LIMIT: Final = 10.0
_PART: Final = 200 << 10
"""Bytes of one request; the X server takes 256 KiB."""
_PROPERTY_NOTIFY, _SELECTION_CLEAR, _SELECTION_REQUEST, _SELECTION_NOTIFY = 28, 29, 30, 31
_ATOM: Final = 4
_STRING: Final = 31
_NAMES: Final = ("CLIPBOARD", "UTF8_STRING", "TARGETS", "INCR", "PODIUM_TEXT", "TEXT", "text/plain;charset=utf-8")


class Clipboard:
    """`on_copied` gets what the browser copies."""

    def __init__(self, x: X11, atoms: dict[str, int], *, fixes_event: int, on_copied: Callable[[str], None]) -> None:
        self._x = x
        self._atoms = atoms
        self._fixes_event = fixes_event
        self._on_copied = on_copied
        self._window = x.new_id()
        self._text: bytes | None = None
        self._changed = asyncio.Event()
        self._events: asyncio.Queue[bytes] = asyncio.Queue(64)

    @classmethod
    async def reach(cls, x: X11, on_copied: Callable[[str], None]) -> "Clipboard":
        """Make a window for the transfers, and be told of new owners. Raises `X11Error`."""
        fixes, first_event = await x.extension("XFIXES")
        clipboard = cls(x, {name: await x.atom(name) for name in _NAMES}, fixes_event=first_event, on_copied=on_copied)
        property_change = 1 << 22
        create = struct.pack("<BBHIIhhHHHHIII", 1, 0, 9, clipboard._window, x.root, 0, 0, 1, 1, 0, 2, 0, 1 << 11, property_change)
        x.send(create)
        await x.ask(struct.pack("<BBHII", fixes, 0, 3, 5, 0))
        x.send(struct.pack("<BBHIII", fixes, 2, 4, clipboard._window, clipboard._atoms["CLIPBOARD"], 1))
        return clipboard

    def paste(self, text: str) -> None:
        """This is what the browser pastes next; too long a text is not taken."""
        data = text.encode(errors="replace")
        if len(data) <= MAX_TEXT:
            self._text = data
            self._x.send(struct.pack("<BxHIII", 22, 4, self._window, self._atoms["CLIPBOARD"], CURRENT_TIME))

    def event(self, event: bytes) -> None:
        """An event of the connection."""
        kind = event[0] & 0x7F
        if kind == _SELECTION_REQUEST:
            self._give(event)
        elif kind == _SELECTION_CLEAR:
            self._text = None
        elif kind == self._fixes_event:
            owner, selection = struct.unpack_from("<II", event, 8)
            if selection == self._atoms["CLIPBOARD"] and owner not in (0, self._window):
                self._changed.set()
        elif kind in (_SELECTION_NOTIFY, _PROPERTY_NOTIFY) and not self._events.full():
            self._events.put_nowait(event)

    async def run(self) -> None:
        """Fetch what is copied, until cancelled. Raises `X11Error` when X refuses."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with asyncio.timeout(TRANSFER_LIMIT):
                    text = await self._fetch()
            except TimeoutError:  # its owner is busy or gone; the next one is asked anew
                continue
            if text is not None:
                self._on_copied(text.decode(errors="replace"))

    async def _fetch(self) -> bytes | None:
        while not self._events.empty():
            self._events.get_nowait()
        atoms = self._atoms
        ask = (self._window, atoms["CLIPBOARD"], atoms["UTF8_STRING"], atoms["PODIUM_TEXT"], CURRENT_TIME)
        self._x.send(struct.pack("<BxHIIIII", 24, 6, *ask))
        event = await self._next(_SELECTION_NOTIFY)
        if int.from_bytes(event[20:24], "little") == 0:  # not as text
            return None
        kind, data = await self._take()
        if kind != atoms["INCR"]:
            return data if len(data) <= MAX_TEXT else None
        whole = bytearray()
        while True:
            event = await self._next(_PROPERTY_NOTIFY)
            if struct.unpack_from("<I4xB", event, 8) != (atoms["PODIUM_TEXT"], 0):
                continue
            _, data = await self._take()
            if not data:
                return bytes(whole) if len(whole) <= MAX_TEXT else None
            if len(whole) <= MAX_TEXT:  # what is too long is read to its end, so that its owner is done with it
                whole += data

    async def _take(self) -> tuple[int, bytes]:
        """Type and value of our property, which is deleted so that the next part may come."""
        reply = await self._x.ask(struct.pack("<BBHIIIII", 20, 1, 6, self._window, self._atoms["PODIUM_TEXT"], 0, 0, MAX_TEXT // 2))
        form, kind, length = reply[1], *struct.unpack_from("<I4xI", reply, 8)
        return kind, reply[32 : 32 + length * form // 8]

    async def _next(self, kind: int) -> bytes:
        while True:
            event = await self._events.get()
            if event[0] & 0x7F == kind:
                return event

    def _give(self, event: bytes) -> None:
        time, _, requestor, selection, target, into = struct.unpack_from("<6I", event, 4)
        into = into or target
        texts = {self._atoms[name] for name in ("UTF8_STRING", "TEXT", "text/plain;charset=utf-8")} | {_STRING}
        if self._text is None:
            into = 0
        elif target == self._atoms["TARGETS"]:
            offered = [self._atoms["TARGETS"], *sorted(texts)]
            self._change(requestor, into, kind=_ATOM, form=32, data=struct.pack(f"<{len(offered)}I", *offered))
        elif target in texts:
            data = self._text if target != _STRING else self._text.decode().encode("latin-1", "replace")
            kind = _STRING if target == _STRING else self._atoms["UTF8_STRING"]
            self._change(requestor, into, kind=kind, form=8, data=data)
        else:
            into = 0
        answer = struct.pack("<BxHIIIII8x", _SELECTION_NOTIFY, 0, time, requestor, selection, target, into)
        self._x.send(struct.pack("<BBHII", 25, 0, 11, requestor, 0) + answer)

    def _change(self, window: int, name: int, *, kind: int, form: int, data: bytes) -> None:
        """Set a property, in parts: a single request could not hold much."""
        for start in range(0, max(1, len(data)), _PART):
            part = data[start : start + _PART]
            mode = 0 if start == 0 else 2
            head = struct.pack("<BBHIIIB3xI", 18, mode, 6 + len(padded(part)) // 4, window, name, kind, form, len(part) * 8 // form)
            self._x.send(head + padded(part))
