"""The machine of a run: numbers without it mean nothing a month later."""

import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from podium_agent.chromium import find_chromium

__all__ = ["describe"]


def describe() -> list[str]:
    """Lines for the head of the table: date, cores, memory, processor, kernel, versions, and how busy it was before."""
    version = subprocess.run([find_chromium(None), "--version"], capture_output=True, text=True, timeout=30, check=False)
    chromium = re.search(r"[\d.]{4,}", version.stdout)
    return [
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- {os.cpu_count()} cores ({_cpu()}), {_memory():.0f} GiB memory",
        f"- {_system()}, kernel {platform.release()}, Chromium {chromium[0] if chromium else 'of unknown version'},"
        f" Python {platform.python_version()}",
        f"- {_busy(2.0):.0%} of the machine busy with something else just before the run",
    ]


def _busy(seconds: float) -> float:
    """Share of all cores' time that was not idle over the next seconds (the first line of /proc/stat, in ticks)."""

    def now() -> tuple[int, int]:
        ticks = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
        return sum(ticks), ticks[3] + ticks[4]

    before, idle_before = now()
    time.sleep(seconds)
    after, idle_after = now()
    return 1 - (idle_after - idle_before) / max(1, after - before)


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _system() -> str:
    release = Path("/etc/os-release")
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', release.read_text(encoding="utf-8"), re.MULTILINE) if release.exists() else None
    return found[1] if found else platform.system()
