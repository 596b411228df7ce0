"""Where the browser's windows are on the X screen, so that the live view shows all of them, and nothing beside them.

There is no window manager: every window, popup, menu and list of a field is a child of the root window. Popups are anywhere, and
the list of a field near the bottom reaches below its window.
"""

import asyncio
import struct
from collections.abc import Iterable
from typing import Final

from podium_agent.settings import SCREEN
from podium_agent.x11 import X11, X11Error

__all__ = ["Area", "Windows", "around"]

Area = tuple[int, int, int, int]
"""Left, top, width and height in pixels of the screen."""

_DESTROYED, _UNMAPPED, _MAPPED, _CONFIGURED = 17, 18, 19, 22
_INPUT_OUTPUT: Final = 1
_VIEWABLE: Final = 2
_PASSING: Final = ("_NET_WM_WINDOW_TYPE_TOOLTIP", "_NET_WM_WINDOW_TYPE_DND")
"""What follows the pointer does not change the picture: it would move under the pointer."""


def around(windows: Iterable[Area]) -> Area | None:
    """The part of the screen in which all these windows are; none where there is none."""
    held = [(left, top, left + width, top + height) for left, top, width, height in windows]
    if not held:
        return None
    left, top = max(0, min(each[0] for each in held)), max(0, min(each[1] for each in held))
    right, bottom = min(SCREEN[0], max(each[2] for each in held)), min(SCREEN[1], max(each[3] for each in held))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


class Windows:
    """The windows of one display. Whoever connects `x` selects SubstructureNotify on its root window."""

    def __init__(self, x: X11, *, type_of: int, passing: frozenset[int]) -> None:
        self._x = x
        self._type_of = type_of
        self._passing = passing
        self._changed = asyncio.Event()

    @classmethod
    async def reach(cls, x: X11) -> "Windows":
        """Raises `X11Error`."""
        passing = frozenset([await x.atom(name) for name in _PASSING])
        return cls(x, type_of=await x.atom("_NET_WM_WINDOW_TYPE"), passing=passing)

    def event(self, event: bytes) -> None:
        """An event of the connection."""
        if event[0] & 0x7F in (_DESTROYED, _UNMAPPED, _MAPPED, _CONFIGURED):
            self._changed.set()

    async def changed(self) -> None:
        """Wait until windows come, go, move or change their size, or have done so since the last wait."""
        await self._changed.wait()
        self._changed.clear()

    async def area(self) -> Area | None:
        """The part of the screen in which windows are seen. Raises `X11Error`."""
        reply = await self._x.ask(struct.pack("<BxHI", 15, 2, self._x.root))
        (count,) = struct.unpack_from("<H", reply, 16)
        found = await asyncio.gather(*map(self._seen, struct.unpack_from(f"<{count}I", reply, 32)))
        return around(each for each in found if each is not None)

    async def _seen(self, window: int) -> Area | None:
        try:
            attributes = await self._x.ask(struct.pack("<BxHI", 3, 2, window))
            (kind,) = struct.unpack_from("<H", attributes, 12)
            if kind != _INPUT_OUTPUT or attributes[26] != _VIEWABLE:
                return None
            if attributes[27]:  # override-redirect: a menu, a list, or what follows the pointer
                reply = await self._x.ask(struct.pack("<BBHIIIII", 20, 0, 6, window, self._type_of, 0, 0, 1))
                if int.from_bytes(reply[32:36], "little") in self._passing:
                    return None
            left, top, width, height = struct.unpack_from("<hhHH", await self._x.ask(struct.pack("<BxHI", 14, 2, window)), 12)
            return left, top, width, height
        except X11Error:
            if self._x.closed:
                raise
            return None  # it is gone meanwhile
