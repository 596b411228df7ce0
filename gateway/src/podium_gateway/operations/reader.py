"""The process that makes articles of pages: hostile HTML goes through a parser in C, so it has nothing that is worth having.

It reads a URL and a document from its standard input, answers the article on its standard output, and so on, until its parent
ends. Each of them is UTF-8 behind its length in four bytes, big-endian; an article of no length is none.
"""

import os
import resource
import struct
import sys
from typing import BinaryIO, Final

import trafilatura

from podium_system.processes import die_with_parent

__all__ = ["main"]

MEMORY: Final = 1 << 30
"""Bytes of address space: a page of 16 MB needs about 400 MB."""
_NOBODY: Final = 65534
_SAMPLE: Final = (
    "<html><body><article><p>" + "A sentence of a usual length, to load what is loaded late. " * 20 + "</p></article></body></html>"
)


def _read(source: BinaryIO) -> bytes | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    return source.read(length)


def _article(html: str, url: str | None) -> str:
    # A page is not an article of its comments; tables and lists are what many pages are about.
    return trafilatura.extract(html, url=url, include_comments=False, include_tables=True, favor_recall=True) or ""


def main() -> None:
    """Serve until the input ends."""
    die_with_parent(int(sys.argv[1]))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    _article(_SAMPLE, None)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        die_with_parent(int(sys.argv[1]))  # a change of user forgets it
    while (url := _read(source)) is not None and (document := _read(source)) is not None:
        answer = _article(document.decode(errors="replace"), url.decode()).encode(errors="replace")
        sink.write(struct.pack(">I", len(answer)) + answer)
        sink.flush()


if __name__ == "__main__":
    main()
