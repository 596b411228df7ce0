"""Removing what somebody else has filled: of any depth and number, with any names, through no link and across no mount."""

import logging
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["LIMIT", "remove_tree"]

log = logging.getLogger(__name__)

LIMIT: Final = 5.0
"""Seconds; 100,000 files take one."""


def remove_tree(path: Path, *, limit: float = LIMIT) -> bool:
    """Remove a file or folder; whether it is gone. It need not be there.

    `rm` goes down by descriptors and without recursion; `shutil.rmtree` recurses before Python 3.13, which 1,000 nested folders
    end. What a dying process still writes is tried once more. Blocks for at most `limit` seconds.
    """
    said = ""
    for _ in range(2):
        try:
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
