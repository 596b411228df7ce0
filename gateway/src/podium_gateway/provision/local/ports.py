"""DevTools ports that nobody but the agents can connect to.

Chromium's DevTools has no credential, and all browsers and programs of a machine share its loopback: a page, Chromium's own
discovery of targets (chrome://inspect) or a program of another session would find them. So as root the ports of one gateway have a
rule of the kernel's packet filter, which lets only root's sockets open connections to them, whatever asks. Who is not root cannot
make one, and need not: there all sessions are one user, whose programs and files are open to each of them anyway.
"""

import asyncio
import logging
import shutil
import socket
import subprocess
from typing import Final

from podium_gateway.provision.local.reserve import Reservation, reserve, reserve_by_socket

__all__ = ["ANY", "Ports"]

log = logging.getLogger(__name__)

ANY: Final = 0
"""Let Chromium choose: an ordinary port, which every program of the machine can connect to."""
FIRST: Final = 21000
COUNT: Final = 1024
BLOCKS: Final = 8
"""Gateways of one machine that can have such ports: 21000 to 29191, below those that kernels give to clients."""
NFT_LIMIT: Final = 10.0
LOOK: Final = 10.0
"""Seconds between looks at the rule."""

# Only what opens a connection is looked at, so nothing that flows costs anything.
_TABLE: Final = """\
add table inet {name}
delete table inet {name}
table inet {name} {{
  chain output {{
    type filter hook output priority filter; policy accept;
    oif "lo" tcp dport {first}-{last} tcp flags & (syn | ack) == syn meta skuid 0 accept
    oif "lo" tcp dport {first}-{last} tcp flags & (syn | ack) == syn reject with tcp reset
  }}
}}
"""


class Ports:
    """Gives ports out and takes them back; `open` before use. One that is not `guarded` gives none."""

    def __init__(self, *, guarded: bool, first: int = FIRST, count: int = COUNT) -> None:
        self._guarded = guarded
        self._blocks = [range(first + number * count, first + (number + 1) * count) for number in range(BLOCKS)]
        self._block = range(0)
        self._held: Reservation | None = None
        self._taken: set[int] = set()
        self._next = 0

    def open(self) -> None:
        """Take a block that nobody uses, and guard it. Where that is not possible all ports are `ANY`, which is logged."""
        if not self._guarded:
            return
        error = "other gateways have all of them"
        # One that nobody uses, or else the first: a port that somebody uses is not given out.
        blocks = [*(one for one in self._blocks if all(map(_free, one))), *self._blocks]
        for block, strict in [*((one, True) for one in blocks), *((one, False) for one in blocks)]:
            if (held := _hold(block, strict=strict)) is None:
                continue
            if not (error := _nft(_rule(block))):
                self._block, self._held = block, held
                self._remove_left()
                return
            held.release()
        log.warning("devtools_ports_not_guarded", extra={"error": error, "meaning": "programs of other sessions can connect"})

    def _remove_left(self) -> None:
        """Tables of gateways that were killed: nobody holds their blocks."""
        held = {block: _hold(block, strict=True) for block in self._blocks if block != self._block}
        free = {block: reservation for block, reservation in held.items() if reservation is not None}
        # A table that is not there cannot be deleted, and one that is there may be added again.
        _nft("".join(f"add table inet {_name(block)}\ndelete table inet {_name(block)}\n" for block in free))
        for reservation in free.values():
            reservation.release()

    async def keep(self) -> None:
        """Put the rule back when somebody has removed it: a reload of a firewall's configuration often begins with that."""
        while self._held is not None:
            await asyncio.sleep(LOOK)
            if await asyncio.to_thread(_nft, f"list table inet {_name(self._block)}\n"):
                error = await asyncio.to_thread(_nft, _rule(self._block))
                log.warning("devtools_rule_restored", extra={"table": _name(self._block), "error": error})

    def take(self) -> int:
        """A port that is free, or `ANY`. Raises `RuntimeError` when all are taken."""
        if not self._block:
            return ANY
        # Round the block, so that a port rests as long as possible.
        for offset in range(len(self._block)):
            port = self._block[(self._next + offset) % len(self._block)]
            if port not in self._taken and _free(port):
                self._taken.add(port)
                self._next = port - self._block.start + 1
                return port
        raise RuntimeError("no free DevTools port for a session")

    def give_back(self, port: int) -> None:
        """Nothing listens on it any more."""
        self._taken.discard(port)

    def close(self) -> None:
        """Give everything back, and remove the rule."""
        if self._held is not None:
            if error := _nft(f"delete table inet {_name(self._block)}\n"):
                log.warning("devtools_rule_left", extra={"table": _name(self._block), "error": error})
            self._held.release()
            self._held = None
        self._block = range(0)
        self._taken.clear()


def _hold(block: range, *, strict: bool) -> Reservation | None:
    """Hold a block on this machine and, as far as that can be told, in its network, which other root file systems may share.

    In the network it is a name that any program can hold, so without `strict` one that somebody has there is no hindrance.
    """
    on_machine = reserve(f"devtools-ports-{block.start}")
    if on_machine is None:
        return None
    in_network = reserve_by_socket(f"network-devtools-ports-{block.start}")
    if in_network is None and strict:
        on_machine.release()
        return None

    def let_go() -> None:
        on_machine.release()
        if in_network is not None:
            in_network.release()

    return Reservation(let_go)


def _rule(block: range) -> str:
    return _TABLE.format(name=_name(block), first=block[0], last=block[-1])


def _name(block: range) -> str:
    return f"podium_{block.start}"


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _nft(commands: str) -> str:
    """Run nft; what it had against it, empty when nothing."""
    program = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
    if program is None:
        return "nft is not installed; install it with: apt-get install nftables"
    try:
        done = subprocess.run([program, "-f", "-"], input=commands, capture_output=True, text=True, timeout=NFT_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nft did not run: {error}"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"nft ended with {done.returncode}"])[0]
