"""A bound on what a session holds on disk, where no kubelet keeps one: measured now and then, and what is over it ends."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from podium_agent.guard import Verdict
from podium_protocol.reasons import EndReason

__all__ = ["watch_disk"]

log = logging.getLogger(__name__)

LOOK: Final = 5.0
"""Seconds between measurements; a kubelet takes ten."""
LOOK_LIMIT: Final = 60.0


async def watch_disk(folder: Path, limit: int, *, every: float = LOOK) -> Verdict:
    """Return when the folder holds more than `limit` bytes."""
    while True:
        await asyncio.sleep(every)
        held = await _held(folder)
        if held is not None and held > limit:
            return EndReason.EVICTED, f"the session's files used up their {limit >> 20} MiB of disk"


async def _held(folder: Path) -> int | None:
    """Bytes of disk below the folder, or none. `du` follows no link, crosses no mount and goes as deep as it has to."""
    process = await asyncio.create_subprocess_exec(
        *("nice", "du", "--summarize", "--one-file-system", "--block-size=1", "--", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(LOOK_LIMIT):
            said, _ = await process.communicate()
    except TimeoutError:
        log.warning("disk_not_measured", extra={"limit": LOOK_LIMIT})
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # It also says how far it came when files vanish below it, and then ends with 1.
    amount = said.split(b"\t")[0]
    return int(amount) if amount.isdigit() else None
