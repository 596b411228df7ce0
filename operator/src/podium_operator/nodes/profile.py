"""The seccomp profile in the kubelet's folder, which is mounted from the host."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A copy of `source` as `name` below `folder`; `name` has one folder of its own, such as `podium/chromium.json`."""

    source: Path
    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """Where it belongs."""
        return self.folder / self.name

    def put(self) -> bool:
        """Whether it had to be written: it was missing, or another. Raises OSError."""
        wanted = self.source.read_bytes()
        try:
            if self.path.read_bytes() == wanted:
                return False
        except FileNotFoundError:
            pass
        self.path.parent.mkdir(mode=0o755, exist_ok=True)
        # Renamed into place: the kubelet must never read half a profile. On disk before: a node may lose its power.
        fresh = self.path.with_suffix(".fresh")
        with fresh.open("wb") as file:
            file.write(wanted)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o644)
        fresh.replace(self.path)
        return True

    def remove(self) -> None:
        """Take it and its folder away, unless somebody else keeps something there. Raises OSError."""
        self.path.unlink(missing_ok=True)
        self.path.with_suffix(".fresh").unlink(missing_ok=True)
        try:
            self.path.parent.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            if not any(self.path.parent.iterdir()):
                raise
