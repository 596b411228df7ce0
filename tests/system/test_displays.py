"""What a killed X server leaves is removed, and what a living one has is not."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from podium_system.displays import displays_of, remove_display

NOBODY = 2**22 + 1
"""A pid that Linux never gives."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, since a socket's path may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="x-") as name:
        path = Path(name)
        (path / ".X11-unix").mkdir()
        yield path


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(sockets: ExitStack, address: str) -> None:
    sockets.enter_context(socket.socket(socket.AF_UNIX)).bind(address)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*X*") if not path.is_dir()}


def test_a_killed_servers_socket_and_lock_are_removed(folder: Path, sockets: ExitStack) -> None:
    listening(sockets, str(folder / ".X11-unix" / "X7"))
    (folder / ".X7-lock").write_text(f"{NOBODY:>10}\n")
    remove_display(7, folder=folder)
    assert left(folder) == set()


def test_a_display_that_a_server_without_a_lock_has_taken_meanwhile_stays(folder: Path, sockets: ExitStack) -> None:
    """`Xvfb -displayfd` makes no lock file; it holds its number as an abstract socket name."""
    path = str(folder / ".X11-unix" / "X7")
    listening(sockets, path)
    listening(sockets, f"\0{path}")
    remove_display(7, folder=folder)
    assert left(folder) == {"X7"}


def test_a_display_whose_lock_names_a_living_process_stays(folder: Path, sockets: ExitStack) -> None:
    listening(sockets, str(folder / ".X11-unix" / "X7"))
    (folder / ".X7-lock").write_text(f"{os.getpid():>10}\n")
    remove_display(7, folder=folder)
    assert left(folder) == {"X7", ".X7-lock"}


def test_a_display_that_left_nothing_is_no_error(folder: Path) -> None:
    remove_display(7, folder=folder)
    assert left(folder) == set()


def test_a_users_displays_are_found_by_their_sockets(folder: Path, sockets: ExitStack) -> None:
    for name in ("X7", "X12", "Xother"):
        listening(sockets, str(folder / ".X11-unix" / name))
    assert displays_of(os.geteuid(), folder=folder) == [7, 12]
    assert displays_of(NOBODY, folder=folder) == []
    assert displays_of(os.geteuid(), folder=folder / "nowhere") == []
