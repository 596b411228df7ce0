"""A watching person's hands on the X server: keys and pointer through XTEST.

For any letter, in any number: `keymap` says which key. A keycode that has just got its letter is pressed when the browser has
seen the change, which it says by answering a ping (EWMH's `_NET_WM_PING`). Pressed at once, a quarter of new letters came out as
what the key was before: Chromium hears of presses on one connection, and GTK, which makes letters of them, of changes on another.
"""

import asyncio
import contextlib
import struct
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from podium_agent.keymap import ALT, CONTROL, SHIFT, Keymap, Stroke
from podium_agent.rfb import Key, Pointer
from podium_agent.x11 import CURRENT_TIME, X11

__all__ = ["Hands"]

HANDLED_LIMIT: Final = 3.0
"""Seconds for the browser to answer a ping; a page may keep it busy, but a person's next letters do not wait for ever."""
_PRESS, _RELEASE, _BUTTON_PRESS, _BUTTON_RELEASE, _MOTION = 2, 3, 4, 5, 6
_CLIENT_MESSAGE: Final = 33
_SUBSTRUCTURE_NOTIFY: Final = 1 << 19
_AUTO_REPEAT: Final = 1 << 7


@dataclass(slots=True)
class _Viewer:
    """What one viewer holds down: keycodes by keysym, and pointer buttons."""

    keys: dict[int, int] = field(default_factory=dict)
    buttons: int = 0


class Hands:
    """All viewers' hands on one display."""

    def __init__(self, x: X11, keymap: Keymap, *, xtest: int, protocols: int, ping: int) -> None:
        self._x = x
        self._keymap = keymap
        self._xtest = xtest
        self._protocols = protocols
        self._ping = ping
        self._pings = 0
        self._answered = asyncio.Event()
        self._viewers: dict[Hashable, _Viewer] = {}
        self._turn = asyncio.Lock()
        shift = keymap.stroke(min(SHIFT), shift=False, chord=True, held=())
        self._shift = 0 if shift is None else shift.keycode

    @classmethod
    async def reach(cls, x: X11) -> "Hands":
        """Read the keyboard as it is. Raises `X11Error`."""
        xtest, _ = await x.extension("XTEST")
        first, last = x.keycodes
        reply = await x.ask(struct.pack("<BxHBBxx", 101, 2, first, last - first + 1))
        width = reply[1]
        keysyms = struct.unpack_from(f"<{(last - first + 1) * width}I", reply, 32)
        rows = [keysyms[at : at + width] for at in range(0, len(keysyms), width)]
        hands = cls(
            x,
            Keymap(first, rows),
            xtest=xtest,
            protocols=await x.atom("WM_PROTOCOLS"),
            ping=await x.atom("_NET_WM_PING"),
        )
        # Answers to pings are sent to the root window. Repeating a held key is the viewer's part, which sends it again.
        x.send(struct.pack("<BxHIII", 2, 4, x.root, 1 << 11, _SUBSTRUCTURE_NOTIFY))
        x.send(struct.pack("<BxHII", 102, 3, _AUTO_REPEAT, 0))
        return hands

    def event(self, event: bytes) -> None:
        """An event of the connection."""
        if event[0] & 0x7F == _CLIENT_MESSAGE and struct.unpack_from("<II", event, 8) == (self._protocols, self._ping):
            (number,) = struct.unpack_from("<I", event, 16)
            if number == self._pings:
                self._answered.set()

    async def key(self, viewer: Hashable, key: Key) -> None:
        """Press or release, and return when it is the next one's turn. Raises `X11Error`."""
        async with self._turn:
            if key.down:
                await self._press(viewer, key.keysym)
            elif (keycode := self._of(viewer).keys.pop(key.keysym, None)) is not None:
                self._release(keycode)

    async def pointer(self, viewer: Hashable, at: Pointer) -> None:
        """Move, then press and release what differs. Wheel steps are buttons 4 to 7. Raises `X11Error`."""
        self._fake(_MOTION, 0, at.x, at.y)
        held = self._of(viewer)
        for bit in range(8):
            if (at.buttons ^ held.buttons) & 1 << bit:
                self._fake(_BUTTON_PRESS if at.buttons & 1 << bit else _BUTTON_RELEASE, bit + 1)
        held.buttons = at.buttons
        await self._x.drain()

    def gone(self, viewer: Hashable) -> None:
        """A viewer left: nothing stays down."""
        held = self._viewers.pop(viewer, _Viewer())
        for keycode in held.keys.values():
            self._release(keycode)
        for bit in range(8):
            if held.buttons & 1 << bit:
                self._fake(_BUTTON_RELEASE, bit + 1)

    async def _press(self, viewer: Hashable, keysym: int) -> None:
        mine = self._of(viewer).keys
        held = {keycode for each in self._viewers.values() for keycode in each.keys.values()}
        down = {keysym for each in self._viewers.values() for keysym in each.keys}
        shifts = [each.keys[shift] for each in self._viewers.values() for shift in SHIFT & each.keys.keys()]
        stroke = self._keymap.stroke(keysym, shift=bool(shifts), chord=bool(down & (CONTROL | ALT)), held=held)
        if stroke is None:
            return
        await self._bind(stroke)
        if keysym in mine:  # again without a release: it is held
            self._fake(_RELEASE, mine[keysym])
        if stroke.shift is None:
            self._fake(_PRESS, stroke.keycode)
        elif stroke.shift:
            left = self._shift
            self._fake(_PRESS, left)
            self._fake(_PRESS, stroke.keycode)
            self._fake(_RELEASE, left)
        else:
            for each in shifts:
                self._fake(_RELEASE, each)
            self._fake(_PRESS, stroke.keycode)
            for each in shifts:
                self._fake(_PRESS, each)
        mine[keysym] = stroke.keycode
        await self._x.drain()

    async def _bind(self, stroke: Stroke) -> None:
        if stroke.bind is not None:
            self._x.send(struct.pack("<BBHBBxxII", 100, 1, 4, stroke.keycode, 2, stroke.bind, stroke.bind))
            await self._handled()

    async def _handled(self) -> None:
        """Until the browser has handled what came so far, or does not say so."""
        focus = int.from_bytes((await self._x.ask(struct.pack("<BxH", 43, 1)))[8:12], "little")
        if focus <= 1:  # nobody has it
            return
        self._answered.clear()
        self._pings += 1
        message = struct.pack("<BBHII5I", _CLIENT_MESSAGE, 32, 0, focus, self._protocols, self._ping, self._pings, focus, 0, 0)
        self._x.send(struct.pack("<BBHII", 25, 0, 11, focus, 0) + message)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANDLED_LIMIT):
                await self._answered.wait()

    def _of(self, viewer: Hashable) -> _Viewer:
        return self._viewers.setdefault(viewer, _Viewer())

    def _release(self, keycode: int) -> None:
        if not any(keycode in each.keys.values() for each in self._viewers.values()):
            self._fake(_RELEASE, keycode)

    def _fake(self, kind: int, detail: int, x: int = 0, y: int = 0) -> None:
        self._x.send(struct.pack("<BBHBBxxII8xhh7xB", self._xtest, 2, 9, kind, detail, CURRENT_TIME, self._x.root, x, y, 0))
