"""The images as `make images` left them, and one of them unpacked."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.archive import ImageArchive

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("PODIUM_CACHE") or Path.home() / ".cache" / "podium")


@pytest.fixture(scope="session")
def images() -> dict[str, ImageArchive]:
    """Each image by its name, built first if its files have changed; PODIUM_IMAGES=built takes them as they are."""
    if os.environ.get("PODIUM_IMAGES") != "built":
        # All of them, whatever the arguments of a `make` that the tests are run by.
        subprocess.run(["make", "--no-print-directory", "images", "ARGS="], cwd=ROOT, check=True, timeout=1800)
    names = ("gateway", "operator", "browser", "browser-light")
    return {name: ImageArchive((CACHE / "images" / f"{name}.tar").resolve()) for name in names}


@pytest.fixture(scope="session")
def base_made_here(images: dict[str, ImageArchive]) -> bool:
    """The images begin with a base of `make images`, and not with one from a registry."""
    return any((CACHE / "images").glob("base-*.tar"))


@pytest.fixture(scope="session")
def browser_root(images: dict[str, ImageArchive], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The standard browser image's file system."""
    with _unpacked(images["browser"], tmp_path_factory) as root:
        yield root


@pytest.fixture(scope="session")
def light_root(images: dict[str, ImageArchive], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The light browser image's file system."""
    with _unpacked(images["browser-light"], tmp_path_factory) as root:
        yield root


@contextmanager
def _unpacked(image: ImageArchive, places: pytest.TempPathFactory) -> Iterator[Path]:
    root = places.mktemp("root")
    root.chmod(0o755)  # it is "/" inside
    try:
        image.unpack(root)
        yield root
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", root], check=False, timeout=60)
