"""URLs as they may be kept and shown: without the user name and password that some carry."""

import re
from typing import Final

__all__ = ["bare_url", "shown_url", "without_credentials"]

# Up to the last @ of the authority, which ends at a slash, a question mark, a hash or white space. Of the scheme the last
# character only: a match that began anywhere in a page's long word would read it to its end each time.
_IN_TEXT: Final = re.compile(r"([a-z0-9+.\-]:[/\\]{2,})[^\s/\\?#]*@", re.IGNORECASE)
# Browsers also take these schemes with fewer slashes, and white space within.
_WHOLE: Final = re.compile(r"^([\x00-\x20]*(?:https?|wss?|ftp):[/\\]*)[^/\\?#]*@", re.IGNORECASE)


def without_credentials(text: str) -> str:
    """A text with the `user:password@` of each URL in it left out."""
    return _IN_TEXT.sub(r"\1", text) if "@" in text else text


def bare_url(url: str) -> str:
    """One URL, as somebody may have typed it, without its `user:password@`."""
    return without_credentials(_WHOLE.sub(r"\1", url)) if "@" in url else url


def shown_url(url: str, *, most: int = 200) -> str:
    """What a message may say of a URL: no credentials, no query, no fragment, of a `data:` URL nothing but the type."""
    scheme, _, rest = url.strip().partition(":")
    if scheme.lower() in ("data", "javascript"):
        return f"{scheme}:{rest.partition(',')[0]}"[:most] if scheme.lower() == "data" else f"{scheme}:"
    return re.split(r"[?#]", bare_url(url), maxsplit=1)[0][:most]
