"""Removing what somebody else has filled: of any depth and number, with any names, through no link and on one file system."""

import asyncio
import logging
import os
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["LIMIT", "remove_slowly", "remove_tree"]

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
    process = await asyncio.create_subprocess_exec(
        *("nice", "rm", "-rf", "--one-file-system", "--", str(path)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(limit):
            code = await process.wait()
    except TimeoutError:
        code = None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        log.warning("not_removed", extra={"path": str(path), "error": "rm failed" if code else f"not done within {limit:g} s"})
