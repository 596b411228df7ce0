"""`make images`: build each image whose files have changed, and leave it as an archive that any container runtime can load.

An archive's name holds a hash of everything its image is made from; while it is there, there is nothing to do. They lie outside
the checkout (`PODIUM_CACHE`, default `~/.cache/podium`, in `images`), for all checkouts, with a link `NAME.tar` to the newest.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_base import provide_base
from image_builders import Builder, find_builder
from image_secrets import secrets
from progress import ROOT, StepFailed, fail, say

KEPT = 2
"""Archives of one image that are kept: this one and the one before it, for a checkout that is a commit behind."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image: what its archive is called, the Dockerfile, the target in it, and its name."""

    name: str
    dockerfile: str
    target: str
    repository: str
    suffix: str = ""

    def tag(self) -> str:
        """The full name, with the project's version."""
        with (ROOT / "pyproject.toml").open("rb") as file:
            version = tomllib.load(file)["project"]["version"]
        return f"podium/{self.repository}:{version}{self.suffix}"


IMAGES = (
    Image("gateway", "gateway/Dockerfile", "gateway", "gateway"),
    Image("operator", "operator/Dockerfile", "operator", "operator"),
    Image("browser", "runtime-image/Dockerfile", "standard", "browser"),
    Image("browser-light", "runtime-image/Dockerfile", "light", "browser", suffix="-light"),
)


def main(wanted: list[str]) -> None:
    """Build the named images, or all. Raises `SystemExit` with a sentence when one cannot be built."""
    unknown = set(wanted) - {image.name for image in IMAGES}
    if unknown:
        raise fail(f"there is no image {', '.join(sorted(unknown))}; there are {', '.join(image.name for image in IMAGES)}")
    folder = Path(os.environ.get("PODIUM_CACHE") or Path.home() / ".cache" / "podium").absolute() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for image in IMAGES:
            if not wanted or image.name in wanted:
                _provide(image, folder)


def _provide(image: Image, folder: Path) -> None:
    archive = folder / f"{image.name}-{key_of(image)}.tar"
    if archive.exists():
        say(f"{image.tag()} is there: {archive} ({_size(archive)})")
    else:
        builder = find_builder()
        with _step(f"building {image.tag()} with {builder.name} ({_how_long(image)})"):
            _build(builder, image, folder)
        with _step(f"writing {archive}"):
            _save(builder, image, archive)
        say(f"  {image.tag()}: {_size(archive)}")
    archive.touch()
    link = folder / f"{image.name}.tar"
    if not (link.is_symlink() and os.readlink(link) == archive.name):
        link.unlink(missing_ok=True)
        link.symlink_to(archive.name)
    others = sorted(folder.glob(f"{image.name}-{'[0-9a-f]' * 16}.tar"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in others[KEPT:]:
        old.unlink()


def _build(builder: Builder, image: Image, folder: Path) -> None:
    try:
        with secrets() as given:
            provide_base(builder, folder)
            builder.build(ROOT / image.dockerfile, target=image.target, tag=image.tag(), secrets=given)
    except StepFailed as error:
        raise fail(f"{image.tag()} could not be built:\n{error}") from error


def _save(builder: Builder, image: Image, archive: Path) -> None:
    unfinished = archive.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    try:
        builder.save(image.tag(), unfinished)
        builder.forget_old()
    except StepFailed as error:
        raise fail(f"{image.tag()} could not be written to {archive}:\n{error}") from error
    unfinished.rename(archive)


def key_of(image: Image) -> str:
    """A hash over everything that goes into an image but the distribution's packages, which are as new as its first build."""
    dockerfile = ROOT / image.dockerfile
    digest = hashlib.sha256(f"{image.tag()} {image.target}".encode())
    for path in [dockerfile, ROOT / ".dockerignore", ROOT / "scripts" / "image_base.py", *_copied(dockerfile)]:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return digest.hexdigest()[:16]


def _copied(dockerfile: Path) -> list[Path]:
    """What a Dockerfile copies from the checkout, file by file."""
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile.read_text(), re.MULTILINE)
    sources = [source for line in lines for source in line.split()]
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *sources]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in sorted(set(found) - {""}) if (ROOT / name).is_file()]


@contextmanager
def _step(what: str) -> Iterator[None]:
    say(what)
    began = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - began:.0f} s")


def _how_long(image: Image) -> str:
    return "minutes the first time, for Chromium" if image.repository == "browser" else "a minute the first time"


def _size(archive: Path) -> str:
    return f"{archive.stat().st_size / 1e9:.2f} GB"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two builds at once take turns."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
