"""Keys as `Input.dispatchKeyEvent` takes them, from the names and characters that callers give."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from podium_agent.cdp import Params
from podium_agent.errors import AgentError
from podium_protocol.errors import AgentErrorCode

__all__ = ["pieces", "strokes"]

# Name: (code, Windows virtual key code, text it types).
_NAMED: Final[dict[str, tuple[str, int, str]]] = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "Backspace": ("Backspace", 8, ""),
    "Delete": ("Delete", 46, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "Home": ("Home", 36, ""),
    "End": ("End", 35, ""),
    "PageUp": ("PageUp", 33, ""),
    "PageDown": ("PageDown", 34, ""),
}

_KEYS: Final = [
    (" ", "Space", 32),
    (";:", "Semicolon", 186),
    ("=+", "Equal", 187),
    (",<", "Comma", 188),
    ("-_", "Minus", 189),
    (".>", "Period", 190),
    ("/?", "Slash", 191),
    ("`~", "Backquote", 192),
    ("[{", "BracketLeft", 219),
    ("\\|", "Backslash", 220),
    ("]}", "BracketRight", 221),
    ("'\"", "Quote", 222),
    *((symbol, f"Digit{digit}", ord(str(digit))) for digit, symbol in enumerate(")!@#$%^&*(")),
]
_SYMBOLS: Final = {character: (code, number) for characters, code, number in _KEYS for character in characters}


def strokes(key: str) -> list[Params]:
    """Down and up of one key. Raises `AgentError` INVALID_REQUEST for a name that is none."""
    if key == "Space":
        key = " "
    elif key in ("\n", "\r"):
        key = "Enter"
    elif key == "\t":
        key = "Tab"
    if key in _NAMED:
        code, number, text = _NAMED[key]
    elif len(key) == 1 and key.isprintable():
        code, number = _position(key)
        text = key
    else:
        names = ", ".join([*_NAMED, "Space"])
        raise AgentError(AgentErrorCode.INVALID_REQUEST, f"key must be one character or one of {names}")
    about: Params = {"key": key, "code": code, "windowsVirtualKeyCode": number, "nativeVirtualKeyCode": number}
    # rawKeyDown types nothing: what types comes as keyDown with its text, and only that makes `beforeinput` and `input`.
    down: Params = {"type": "keyDown", "text": text, "unmodifiedText": text} if text else {"type": "rawKeyDown"}
    return [{**down, **about}, {"type": "keyUp", **about}]


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Text in order, as what keys can type (true) and what only an input method could: joined emoji, marks, controls."""
    text = text.replace("\r\n", "\n")
    for typed, characters in groupby(text, lambda one: one.isprintable() or one in "\n\r\t"):
        yield typed, "".join(characters)


def _position(character: str) -> tuple[str, int]:
    """Where a US keyboard has it: code and virtual key code, which pages still look at."""
    if character.isascii() and character.isalpha():
        return f"Key{character.upper()}", ord(character.upper())
    if character.isascii() and character.isdecimal():
        return f"Digit{character}", ord(character)
    return _SYMBOLS.get(character, ("", 0))
