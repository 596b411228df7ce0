"""Which URLs a caller may have opened through REST. What a DevTools client opens is between it and the browser."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

__all__ = ["LONGEST", "OpenableUrl", "openable"]

LONGEST: Final = 65536
"""Characters of a URL; an agent takes as many."""
# Browsers drop these before they read a URL, so `java\nscript:` is a scheme too.
_DROPPED: Final = re.compile(r"[\t\r\n]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_EDGES: Final = "".join(map(chr, range(0x21)))


def openable(url: str) -> str:
    """The URL as it will be opened. Raises `ValueError` with a sentence."""
    cleaned = _DROPPED.sub("", url).strip(_EDGES)
    found = _SCHEME.match(cleaned)
    scheme = found.group(1).lower() if found else ""
    if not cleaned:
        raise ValueError("must not be empty")
    if scheme in ("http", "https", "data") or cleaned.lower() == "about:blank":
        return cleaned
    raise ValueError("must begin with http:// or https:// (or data:), or be about:blank")


OpenableUrl = Annotated[str, Field(max_length=LONGEST), AfterValidator(openable)]
