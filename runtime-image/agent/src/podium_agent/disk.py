"""A bound on what a session holds on disk, where no kubelet keeps one: measured now and then, and what is over it ends."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from podium_agent.guard import Verdict
from podium_agent.mounts import SHARED
from podium_protocol.reasons import EndReason
from podium_system.processes import as_child

__all__ = ["watch_disk"]

log = logging.getLogger(__name__)

LOOK: Final = 5.0
"""Seconds between measurements; a kubelet takes ten."""
LOOK_LIMIT: Final = 60.0
MISSES: Final = 2
"""Measurements in a row that were not through in that time."""


async def watch_disk(folder: Path, limit: int, *, uid: int | None = None, every: float = LOOK) -> Verdict:
    """Return when the folder, and what that user has in folders of everybody's, hold more than `limit` bytes."""
    missed = 0
    while True:
        await asyncio.sleep(every)
        held = await _held([folder, *_elsewhere(uid)])
        missed = missed + 1 if held is None else 0
        if held is not None and held > limit:
            return EndReason.EVICTED, f"the session's files used up their {limit >> 20} MiB of disk"
        if missed == MISSES:
            return EndReason.EVICTED, f"the session has more files than can be counted in {LOOK_LIMIT:.0f} s"


def _elsewhere(uid: int | None) -> Iterator[Path]:
    if uid is None:
        return
    for shared in SHARED:
        with contextlib.suppress(OSError), os.scandir(shared) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == uid:
                        yield Path(entry.path)


async def _held(places: Iterable[Path]) -> int | None:
    """Bytes of disk below the places, or none. `du` follows no link and goes as deep as it has to."""
    command = ["nice", "du", "--summarize", "--one-file-system", "--block-size=1", "--files0-from=-"]
    try:
        process = await asyncio.create_subprocess_exec(
            *as_child(command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:  # no process to be had just now
        log.warning("disk_not_measured", extra={"error": str(error)})
        return 0
    try:
        async with asyncio.timeout(LOOK_LIMIT):
            said, _ = await process.communicate(b"\0".join(os.fsencode(place) for place in places))
    except TimeoutError:
        log.warning("disk_not_measured", extra={"limit": LOOK_LIMIT})
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # It also says how far it came when files vanish below it, and then ends with 1.
    amounts = (line.partition(b"\t")[0] for line in said.splitlines())
    return sum(int(amount) for amount in amounts if amount.isdigit())
