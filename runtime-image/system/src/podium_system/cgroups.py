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

    Where the kernel shares the processor among groups, one of that kind has it, too: then a session of thousands of processes has
    no larger share than another one. Raises `OSError` where groups of memory cannot be made: a container's are read-only, and not
    all systems bound memory by them.
    """
    own = _own(ours)
    for above in _sharing(root, own):
        with contextlib.suppress(OSError):
            _enter(above / f"{_PREFIX}{name}")
    above, limit = _bounding(root, own)
    group = above / f"{_PREFIX}{name}"
    group.mkdir(exist_ok=True)
    try:
        # First the bound. Without its file, memory is not what this level of groups is for.
        _write(group / limit, memory)
        for swap, most in (("memory.swap.max", 0), ("memory.memsw.limit_in_bytes", memory)):
            with contextlib.suppress(OSError):  # not every kernel counts it
                _write(group / swap, most)
        _enter(group)
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise
    return group


def remove_groups(name: str = "*", *, root: Path = _ROOT, ours: Path = _OURS) -> bool:
    """Remove the groups of that name, or all, that no process is in; whether none is left. None need be there.

    A process that was killed is in its group until the kernel has given its memory back, when no list shows it any more.
    """
    gone = True
    with contextlib.suppress(OSError):
        own = _own(ours)
        for above in {_bounding(root, own)[0], *_sharing(root, own)}:
            for group in above.glob(f"{_PREFIX}{name}"):
                try:
                    group.rmdir()
                except OSError:  # somebody is in it
                    gone = False
    return gone


def _own(ours: Path) -> dict[str, str]:
    """Controller -> the group that we are in; of the second version, which has one group for all, the controller is ""."""
    own: dict[str, str] = {}
    for line in ours.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        own |= dict.fromkeys(controllers.split(","), path.lstrip("/"))
    return own


def _bounding(root: Path, own: dict[str, str]) -> tuple[Path, str]:
    """Where a session's group goes that bounds memory, and the file of the bound."""
    if "memory" in own:  # version 1, in which a group with processes may have groups below it
        return root / "memory" / own["memory"], "memory.limit_in_bytes"
    # Version 2, in which it may not: beside our own. There the same group shares the processor, where the one above says so.
    return (root / own.get("", "")).parent if own.get("") else root, "memory.max"


def _sharing(root: Path, own: dict[str, str]) -> list[Path]:
    """Where its group goes that has a share of the processor, if that is another one."""
    return [root / "cpu" / own["cpu"]] if "cpu" in own else []


def _enter(group: Path) -> None:
    group.mkdir(exist_ok=True)
    try:
        _write(group / "cgroup.procs", os.getpid())
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise


def _write(file: Path, number: int) -> None:
    with open(file, "r+", encoding="ascii") as control:  # never made: what is not a control file is no bound
        control.write(str(number))
