"""A bound on what a session holds on disk, where no kubelet keeps one: measured now and then, and what is over it ends."""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Final

from podium_agent.guard import Verdict
from podium_protocol.reasons import EndReason
from podium_system.processes import as_child
from podium_system.shared_files import find_files_of

__all__ = ["watch_disk"]

log = logging.getLogger(__name__)

LOOK: Final = 5.0
"""Seconds between measurements; a kubelet takes ten."""
LOOK_LIMIT: Final = 60.0
MISSES: Final = 2
"""Measurements in a row that were not through in that time."""
FILES: Final = 500_000
"""Files, empty ones too: a browser has some thousands, and more than a few million slow down whoever looks through a folder."""
FILES_EVERY: Final = 3
"""Of so many measurements one is of their number."""
BYTES: Final = "--block-size=1"
NUMBER: Final = "--inodes --count-links"
"""Names, that is: who looks through a folder looks at each."""
_COUNT: Final = """
folder=$1 what=$2
shift 2
{ printf '%s\\0' "$folder"; "$@"; } | du --summarize --total --one-file-system $what --files0-from=- | tail -n 1
"""
"""`du` follows no link and goes as deep as it has to. It also says how far it came when files vanish below it. Where somebody puts
a link for a folder on the way to one, it counts what is there, and that is all it does."""


async def watch_disk(folder: Path, limit: int, *, uid: int | None = None, every: float = LOOK) -> Verdict:
    """Return when the folder, and what that user has in folders of everybody's, hold more than `limit` bytes or `FILES` files."""
    missed = 0
    looks = 0
    while True:
        await asyncio.sleep(every)
        looks += 1
        what = BYTES if looks % FILES_EVERY else NUMBER
        held = await _held(folder, uid, what)
        missed = missed + 1 if held is None else 0
        if missed == MISSES:
            return EndReason.EVICTED, f"the session has more files than can be counted in {LOOK_LIMIT:.0f} s"
        if held is not None and held > (limit if what == BYTES else FILES):
            bound = f"used up their {limit >> 20} MiB of disk" if what == BYTES else f"are more than {FILES:,}"
            return EndReason.EVICTED, f"the session's files {bound}"


async def _held(folder: Path, uid: int | None, what: str) -> int | None:
    """Bytes or number of what is there, or none when that takes too long."""
    elsewhere = ["true"] if uid is None else [*find_files_of(uid), "-print0"]
    try:
        process = await asyncio.create_subprocess_exec(
            *as_child(["nice", "sh", "-c", _COUNT, "sh", str(folder), what, *elsewhere]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:  # no process to be had just now
        log.warning("disk_not_measured", extra={"error": str(error)})
        return 0
    try:
        async with asyncio.timeout(LOOK_LIMIT):
            said, _ = await process.communicate()
    except TimeoutError:
        log.warning("disk_not_measured", extra={"limit": LOOK_LIMIT})
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    amount = said.partition(b"\t")[0]
    return int(amount) if amount.isdigit() else 0
