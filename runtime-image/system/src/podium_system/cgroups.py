"""What the kernel says of the memory of the container we are in; outside of one there is nothing to read."""

from pathlib import Path
from typing import Final

__all__ = ["oom_kills"]

# The second and first version of control groups. A container sees its own group where the whole machine sees the root's.
_FILES: Final = ("memory.events", "memory/memory.oom_control")
_ROOT: Final = Path("/sys/fs/cgroup")


def oom_kills(root: Path = _ROOT) -> int:
    """Processes of this container that the kernel has killed so far because its memory was used up; 0 where it does not say."""
    for name in _FILES:
        try:
            lines = (root / name).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return 0
