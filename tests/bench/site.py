"""The site that the bench browses: `python -m bench.site PORT`, a process of its own that answers from memory.

A framework would take longer for five hundred small answers than the browser for the page that asks for them, and that is time
in which what is measured can hide.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.children import child, free_port, open_port, wait_until

__all__ = ["ELEMENTS", "KEPT", "LINES", "REQUESTS", "STORED", "running_site"]

ELEMENTS: Final = 1500
"""Elements of `/list`."""
REQUESTS: Final = 500
LINES: Final = 1000
"""Of the console, both of `/busy`."""
_KEYS: Final = 10
STORED: Final = 35_000 * _KEYS
"""Characters that one origin's `/kept` holds: a megabyte in three of them."""
KEPT: Final = f"{STORED} characters of b are kept"
"""What `/kept` says once its button was pressed."""

_CARD: Final = (
    "<article class=card><h3><a href='#p{n}'>Product {n}</a></h3><p>It does what a product is expected to do, <b>number {n}</b>"
    " more quietly than the one before it, and lasts until the next one is there.</p><span class=price>{n}.99</span>"
    "<label>Amount <input type=number value=1></label><button>Add {n}</button></article>"
)
_STYLE: Final = (
    "body { font: 14px sans-serif; margin: 1em } main { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1em }"
    " .card { border: 1px solid #ccc; padding: .5em } .price { color: #060 } input { width: 4em }"
)
_BUSY: Final = """<!doctype html><title>Busy</title><p>Busy</p><script>
window.done = (async () => {
  let next = 0, line = 0
  const worker = async () => {
    while (next < %d) {
      const answer = await fetch('/data/' + next++, { cache: 'no-store' })
      await answer.text()
      while (line < next * %d) console.log('line', line++, 'of a page that has a lot to tell')
    }
  }
  await Promise.all(Array.from({ length: 6 }, worker))
  return performance.now()
})()
</script>"""
_STORE: Final = """<!doctype html><title>Kept</title><button>write</button><p></p><script>
const write = letter => {
  for (let n = 0; n < %d; n++) localStorage.setItem('key ' + n, letter.repeat(%d))
}
const say = () => {
  const all = Object.values(localStorage).join(''), letter = all[0]
  const kept = [...all].every(one => one === letter) ? all.length : 0
  document.querySelector('p').textContent = `${kept} characters of ${letter} are kept`
}
if (!localStorage.length) write('a')
say()
document.querySelector('button').onclick = () => { write('b'); say() }
</script>"""


def _list() -> str:
    items = "".join(f"<li><a href='#n{n}'>Part {n}</a></li>" for n in range(10))
    cards = "".join(_CARD.format(n=n) for n in range(163))  # of 9 elements; 33 are around them
    return (
        "<!doctype html><html><head><meta charset=utf-8><title>List</title><link rel=stylesheet href=/style.css></head><body>"
        f"<nav><ul>{items}</ul></nav><button id=press onclick='count.value++'>Press</button><output id=count>0</output>"
        f"<main>{cards}</main><footer><p>That is all.</p></footer></body></html>"
    )


def _answer(kind: str, body: str) -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncache-control: no-store\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


_ANSWERS: Final = {
    b"/list": _answer("text/html", _list()),
    b"/style.css": _answer("text/css", _STYLE),
    b"/busy": _answer("text/html", _BUSY % (REQUESTS, LINES // REQUESTS)),
    b"/kept": _answer("text/html", _STORE % (_KEYS, STORED // _KEYS)),
}
_DATA: Final = _answer("application/json", '{"what": "a small answer", "for": "one of many requests"}')


class _Site(asyncio.Protocol):
    """One connection, kept open; its requests are small, have no bodies and come one at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n") and isinstance(self._transport, asyncio.WriteTransport):
            path = self._head.split(b" ", 2)[1]
            self._head = b""
            self._transport.write(_ANSWERS.get(path, _DATA))


@contextmanager
def running_site(folder: Path) -> Iterator[int]:
    """Serve until the block ends; gives the port, on which every name of this machine leads to the same."""
    port = free_port()
    with child([sys.executable, "-m", "bench.site", str(port)], log=folder / "site.log"):
        wait_until(lambda: open_port(port), "the site")
        yield port


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Site, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
