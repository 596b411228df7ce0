"""Whether Chromium's sandbox really is on, read from /proc.

A sandboxed renderer lives in a pid namespace of its own and runs under seccomp filters. Both are in its `status` file,
which anyone may read, unlike its namespace links.
"""

from pathlib import Path

from podium_protocol.sessions import SandboxState
from podium_system.processes import descendants

__all__ = ["look"]


def look(browser: int, refused: str | None) -> SandboxState:
    """The state of the renderers below the browser process; `refused` is why it was started without a sandbox."""
    if refused is not None:
        return SandboxState(enabled=False, detail=f"started without Chromium's sandbox: {refused}")
    for process in descendants(browser):
        try:
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        if b"--type=renderer" in command:
            return _judge(status)
    return SandboxState(enabled=False, detail="no renderer process was found to look at")


def _judge(status: str) -> SandboxState:
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    namespaces = len(fields.get("NSpid", "").split())
    filtered = fields.get("Seccomp", "").strip() == "2"
    own = namespaces > len(Path("/proc/self/status").read_text().partition("NSpid:")[2].partition("\n")[0].split())
    if own and filtered:
        return SandboxState(enabled=True, detail="renderers run in a pid namespace of their own under a seccomp filter")
    missing = "a pid namespace of their own" if filtered else "a seccomp filter" if own else "namespace and seccomp filter"
    return SandboxState(enabled=False, detail=f"renderers run without {missing}")
