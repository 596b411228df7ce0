"""A session that holds more disk than it may ends, however it holds it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from podium_agent.disk import _held, watch_disk
from podium_protocol.reasons import EndReason

MIB = 1 << 20


def one_file(folder: Path) -> None:
    (folder / "file").write_bytes(os.urandom(3 * MIB))


def many_files(folder: Path) -> None:
    for number in range(600):
        (folder / f"-{number}\n").write_bytes(b"x" * 4096)


def deep(folder: Path) -> None:
    here = os.open(folder, os.O_PATH)
    for _ in range(1200):
        os.mkdir("below", dir_fd=here)
        below = os.open("below", os.O_PATH, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, os.urandom(3 * MIB))
    os.close(file)
    os.close(here)


@pytest.mark.parametrize("fill", [one_file, many_files, deep], ids=lambda fill: fill.__name__)
async def test_a_folder_that_holds_too_much_is_noticed(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    watching = asyncio.ensure_future(watch_disk(tmp_path, 2 * MIB, every=0.01))
    fill(tmp_path)
    async with asyncio.timeout(30):
        assert await watching == (EndReason.EVICTED, "the session's files used up their 2 MiB of disk")


async def test_what_is_elsewhere_or_takes_no_disk_does_not_count(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for each in (folder, elsewhere):
        each.mkdir()
    one_file(elsewhere)
    (folder / "link").symlink_to(elsewhere)
    with open(folder / "sparse", "wb") as file:
        file.truncate(1 << 40)
    held = await _held(folder)
    assert held is not None
    assert held < MIB
