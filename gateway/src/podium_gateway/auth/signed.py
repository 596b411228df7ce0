"""Links that need no key: a path and its last second, signed with a key that only this service has.

Who has such a link has the one file it names, until it expires; it says nothing of the caller and opens nothing else.
"""

import base64
import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from podium_gateway.errors import LinkRefused
from podium_gateway.home import write_secret

__all__ = ["LinkSigner"]

FILE: Final = "link-key"
_PURPOSE: Final = b"podium artifact link 1\n"
"""Part of what is signed, so that a signature of this key can never be one for something else."""
_EXPIRES: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class LinkSigner:
    """HMAC-SHA256 with a key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def open(cls, home: Path) -> Self:
        """The key in `<home>/link-key`, made at first use. Two processes that begin together get the same."""
        path = home / FILE
        if not path.exists():
            with suppress(FileExistsError):  # the other one was first
                write_secret(path, secrets.token_hex(32), replace=False)
        return cls(bytes.fromhex(path.read_text()))

    def signature(self, parts: tuple[str, ...], *, expires: int) -> str:
        """For the path with these segments, unescaped, and its last second since 1970."""
        # A length before each segment: no two paths are the same bytes.
        told = b"".join(b"%d:%s\n" % (len(part.encode()), part.encode()) for part in parts)
        made = hmac.new(self._key, _PURPOSE + told + str(expires).encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")

    def check(self, parts: tuple[str, ...], *, expires: str, signature: str, now: float) -> None:
        """Raises `LinkRefused` unless the signature is ours, for exactly this path and time, and the time is not over."""
        if not _EXPIRES.fullmatch(expires) or str(int(expires)) != expires:
            raise LinkRefused
        right = self.signature(parts, expires=int(expires))
        if not hmac.compare_digest(right.encode(), signature.encode("utf-8", "surrogatepass")):
            raise LinkRefused
        if int(expires) < now:
            raise LinkRefused("the link has expired; list the session's artifacts again for a new one")
