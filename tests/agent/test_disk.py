"""A session that holds more disk than it may ends, however it holds it."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from podium_agent import disk
from podium_agent.disk import BYTES, _held, watch_disk
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
    held = await _held(folder, None, BYTES)
    assert held is not None
    assert held < MIB


async def test_a_measurement_for_which_there_is_no_process_ends_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def none(*_: object, **__: object) -> None:
        asked.set()
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", none)
    watching = asyncio.ensure_future(watch_disk(tmp_path, 1, every=0.01))
    for _ in range(3):
        asked.clear()
        await asked.wait()
    assert not watching.done()
    watching.cancel()


async def test_more_files_than_can_be_counted_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOOK_LIMIT", 0.0)
    async with asyncio.timeout(30):
        reason, message = await watch_disk(tmp_path, 1 << 40, every=0.01)
    assert (reason, message) == (EndReason.EVICTED, "the session has more files than can be counted in 0 s")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users to give")
async def test_what_a_user_has_in_folders_of_everybodys_counts(tmp_path: Path) -> None:
    uid = 3_800_000
    own = Path(f"/tmp/podium-test-{uid}")
    own.mkdir()
    try:
        one_file(own)
        os.chown(own, uid, uid)
        async with asyncio.timeout(30):
            assert (await watch_disk(tmp_path, 2 * MIB, uid=uid, every=0.01))[0] is EndReason.EVICTED
    finally:
        shutil.rmtree(own)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users to give")
async def test_what_it_has_in_a_folder_of_the_machines_there_counts_too(tmp_path: Path) -> None:
    uid = 3_800_001
    machines = Path(f"/tmp/podium-test-{uid}")
    machines.mkdir(mode=0o1777)
    try:
        one_file(machines)
        os.chown(machines / "file", uid, uid)
        async with asyncio.timeout(30):
            assert (await watch_disk(tmp_path, 2 * MIB, uid=uid, every=0.01))[0] is EndReason.EVICTED
    finally:
        shutil.rmtree(machines)


async def test_empty_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "FILES", 1000)
    for number in range(1100):
        (tmp_path / str(number)).touch()
    async with asyncio.timeout(30):
        ended = await watch_disk(tmp_path, 1 << 40, every=0.01)
    assert ended == (EndReason.EVICTED, "the session's files are more than 1,000")


async def test_every_name_of_a_file_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "FILES", 1000)
    (tmp_path / "file").touch()
    for number in range(1100):
        os.link(tmp_path / "file", tmp_path / str(number))
    async with asyncio.timeout(30):
        assert (await watch_disk(tmp_path, 1 << 40, every=0.01))[0] is EndReason.EVICTED
