"""Which key of the X keyboard gives a letter, for any letter: decided here without I/O.

A viewer sends keysyms, X takes keycodes. Those on the keyboard already are pressed as they are, with Shift where it has to be.
Any other keysym is bound to one of the keycodes that mean nothing (19 of Xvfb's), on all its levels, and stays there until all of
them are taken and it is the one whose use is longest ago.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["ALT", "CONTROL", "SHIFT", "Keymap", "Stroke"]

SHIFT: Final = frozenset({0xFFE1, 0xFFE2})
CONTROL: Final = frozenset({0xFFE3, 0xFFE4})
ALT: Final = frozenset({0xFFE7, 0xFFE8, 0xFFE9, 0xFFEA, 0xFFEB, 0xFFEC})
"""Alt, Meta and Super."""
_WITHOUT_EFFECT: Final = frozenset({0xFFE5, 0xFFE6, 0xFF7F, 0xFF7E, 0xFE03, 0xFE11, 0xFF20, *range(0xFE01, 0xFE10)})
"""Locks, AltGr, Compose and layout switches: the viewer's own keyboard has them, and its keysyms are what came of them."""
_KEYPAD: Final = {0xFFAE: 0x2E, 0xFFAC: 0x2C} | {0xFFB0 + digit: 0x30 + digit for digit in range(10)}
"""Digits of a keypad are digits: our keyboard has no Num Lock on."""
_UNICODE: Final = 0x01000000


@dataclass(frozen=True, slots=True)
class Stroke:
    """How to press a key: with `shift` held, released (False) or as it is; after the keycode is bound to `bind`."""

    keycode: int
    shift: bool | None = None
    bind: int | None = None


class Keymap:
    """The keyboard of one display. `rows` are the keysyms of each keycode from `first` on, by level."""

    def __init__(self, first: int, rows: Sequence[Sequence[int]]) -> None:
        self._level: dict[int, tuple[int, int]] = {}
        self._bound: OrderedDict[int, int] = OrderedDict()
        for keycode, row in enumerate(rows, start=first):
            for level, keysym in enumerate(row[:2]):
                if keysym:
                    self._level.setdefault(keysym, (keycode, level))
            if not any(row):
                self._bound[keycode] = 0

    def stroke(self, keysym: int, *, shift: bool, chord: bool, held: Collection[int]) -> Stroke | None:
        """How to press `keysym` while `shift` is held or not; none if it has no effect.

        `chord`: with Control or Alt, what counts is the key. `held`: keycodes that are down.
        """
        if keysym in _WITHOUT_EFFECT or not keysym:
            return None
        keysym = _KEYPAD.get(keysym, keysym)
        if _UNICODE + 0x20 <= keysym <= _UNICODE + 0xFF:
            keysym -= _UNICODE  # Latin-1 has keysyms of its own
        if keysym in self._level:
            keycode, level = self._level[keysym]
            wanted = bool(level)
            return Stroke(keycode, shift=None if chord or wanted == shift or not _printable(keysym) else wanted)
        return self._on_spare(keysym, held)

    def _on_spare(self, keysym: int, held: Collection[int]) -> Stroke | None:
        for keycode, bound in self._bound.items():
            if bound == keysym:
                self._bound.move_to_end(keycode)
                return Stroke(keycode)
        for keycode in self._bound:
            if keycode not in held:
                self._bound[keycode] = keysym
                self._bound.move_to_end(keycode)
                return Stroke(keycode, bind=keysym)
        return None


def _printable(keysym: int) -> bool:
    return 0x20 <= keysym < 0xFE00 or keysym >= _UNICODE
