"""Removing what somebody else has filled: of any depth and number, with any names, through no link and on one file system."""

import asyncio
import logging
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["LIMIT", "remove_slowly", "remove_tree", "run_slowly"]

log = logging.getLogger(__name__)

LIMIT: Final = 5.0
"""Seconds; 100,000 files take one."""


def remove_tree(path: Path, *, limit: float = LIMIT) -> bool:
    """Remove a file or folder; whether it is gone. It need not be there.

    `rm` goes down by descriptors and without recursion; `shutil.rmtree` recurses before Python 3.13, which 1,000 nested folders
    end. What a dying process still writes is tried once more. Blocks for at most `limit` seconds.
    """
    said = ""
    for last in (False, True):
        try:
            if last and os.geteuid() != 0:  # folders that their owner may not write in, a session's HOME among them
                opening = ["find", str(path), "-xdev", "-type", "d", "-exec", "chmod", "u+rwx", "{}", "+"]
                subprocess.run(opening, timeout=limit, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            done = subprocess.run(
                ["rm", "-rf", "--one-file-system", "--", str(path)],
                timeout=limit,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            said = f"not done within {limit:g} s"
            break
        if done.returncode == 0:
            return True
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    log.warning("not_removed", extra={"path": str(path), "error": said[:500]})
    return False


async def remove_slowly(path: Path, *, limit: float) -> None:
    """Remove what may take minutes, beside other work and after it; cancelled, it stops at once."""
    done = await run_slowly(["rm", "-rf", "--one-file-system", "--", str(path)], limit=limit)
    if done is None or done.returncode != 0:
        log.warning("not_removed", extra={"path": str(path), "error": "rm failed" if done else f"not done within {limit:g} s"})


async def run_slowly(
    command: list[str], *, limit: float, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes] | None":
    """Run a command after other work; none when it is not through in `limit` seconds. Cancelled, it is killed."""
    process = await asyncio.create_subprocess_exec(
        *("nice", *command),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(limit):
            printed, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return subprocess.CompletedProcess(command, process.returncode or 0, printed)
