"""Control groups: what the kernel says of the memory of the one we are in, and one of its own for each session of a machine."""

import contextlib
import os
from pathlib import Path
from typing import Final

__all__ = ["join_group", "oom_kills", "remove_groups"]

# The second and first version of control groups. A container sees its own group where the whole machine sees the root's.
_FILES: Final = ("memory.events", "memory.oom_control", "memory/memory.oom_control")
_ROOT: Final = Path("/sys/fs/cgroup")
_OURS: Final = Path("/proc/self/cgroup")
_PREFIX: Final = "podium-"


def oom_kills(root: Path = _ROOT) -> int:
    """Processes of a group, or of this container, that the kernel has killed for want of memory; 0 where it does not say."""
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


def join_group(name: str, *, memory: int, root: Path = _ROOT, ours: Path = _OURS) -> Path:
    """Move this process, and so its later children, to a group `podium-<name>` of at most `memory` bytes; the group.

    Raises `OSError` where groups cannot be made: a container's are read-only, and not all systems bound memory by them.
    """
    above, limit = _above(root, ours)
    group = above / f"{_PREFIX}{name}"
    group.mkdir(exist_ok=True)
    try:
        # First the bound. Without its file, memory is not what this level of groups is for.
        _write(group / limit, memory)
        for swap, most in (("memory.swap.max", 0), ("memory.memsw.limit_in_bytes", memory)):
            with contextlib.suppress(OSError):  # not every kernel counts it
                _write(group / swap, most)
        _write(group / "cgroup.procs", os.getpid())
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise
    return group


def remove_groups(name: str = "*", *, root: Path = _ROOT, ours: Path = _OURS) -> None:
    """Remove the group of that name, or all, that no process is in; none need be there."""
    with contextlib.suppress(OSError):
        for group in _above(root, ours)[0].glob(f"{_PREFIX}{name}"):
            with contextlib.suppress(OSError):  # somebody is in it
                group.rmdir()


def _above(root: Path, ours: Path) -> tuple[Path, str]:
    """Where a session's group goes, and the file of its bound."""
    own: dict[str, str] = {}
    for line in ours.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), path.lstrip("/"))
    if "memory" in own:  # version 1, in which a group with processes may have groups below it
        return root / "memory" / own["memory"], "memory.limit_in_bytes"
    # Version 2, in which it may not: beside our own.
    return (root / own.get("", "")).parent if own.get("") else root, "memory.max"


def _write(file: Path, number: int) -> None:
    with open(file, "r+", encoding="ascii") as control:  # never made: what is not a control file is no bound
        control.write(str(number))
