"""An image archive as `docker save` and buildah write it: looked into layer by layer, or unpacked into a root file system."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

_GONE = ".wh."
"""A layer takes a file of a lower one away by a file of this name before its own."""


@dataclass(frozen=True)
class Entry:
    """One file of one layer."""

    layer: int
    path: str
    """Without a leading slash."""
    mode: int
    size: int
    content: bytes
    """Of regular files up to a megabyte; larger ones are programs and data."""


@dataclass(frozen=True)
class ImageArchive:
    """An image in a file."""

    path: Path

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self._member("manifest.json"))
        return found[0]

    @cached_property
    def config(self) -> dict[str, Any]:
        """What a container of it gets: User, Env, Cmd."""
        found: dict[str, Any] = json.loads(self._member(self._manifest["Config"]))["config"]
        return found

    @property
    def tags(self) -> list[str]:
        """Its names."""
        found: list[str] = self._manifest["RepoTags"]
        return found

    def _member(self, name: str) -> bytes:
        with tarfile.open(self.path) as archive:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

    def entries(self) -> Iterator[Entry]:
        """Every file of every layer, those too that an upper layer hides; no folders, and no marks of what a layer hides."""
        with tarfile.open(self.path) as archive:
            for number, layer in enumerate(self._manifest["Layers"]):
                file = archive.extractfile(layer)
                assert file is not None
                with tarfile.open(fileobj=file, mode="r|*") as members:
                    for member in members:
                        small = member.isreg() and member.size <= 1 << 20
                        inside = members.extractfile(member) if small else None
                        content = inside.read() if inside is not None else b""
                        path = member.name.removeprefix("./").strip("/")
                        if member.isdir() or f"/{_GONE}" in f"/{path}":
                            continue
                        yield Entry(number, path, member.mode if member.isreg() else 0, member.size, content)

    def unpack(self, root: Path) -> None:
        """Its file system as a container sees it. Needs root, for the owners."""
        for layer in self._manifest["Layers"]:
            with subprocess.Popen(["tar", "-xOf", self.path, layer], stdout=subprocess.PIPE) as out:
                command = ["tar", "-xpf", "-", "--numeric-owner", "--exclude=./dev/*", "--exclude=dev/*", "-C", str(root)]
                subprocess.run(command, stdin=out.stdout, check=True, timeout=300)
            assert out.returncode == 0
            for mark in [*root.rglob(f"{_GONE}*")]:
                hidden = mark.with_name(PurePosixPath(mark.name).name.removeprefix(_GONE))
                if hidden.is_dir() and not hidden.is_symlink():
                    shutil.rmtree(hidden)
                else:
                    hidden.unlink(missing_ok=True)
                mark.unlink()
