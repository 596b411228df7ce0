"""Whatever a session leaves behind, nothing of it stops an end, a start, or the sessions beside it."""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from podium_gateway.provision.local import adapter, pool, spare
from podium_gateway.provision.local.folders import Folders
from podium_gateway.provision.local.sweep import sweep
from podium_gateway.provision.local.uids import Uids
from podium_gateway.provision.port import RunRequest, StartFailed
from podium_protocol.reasons import EndReason
from podium_system.displays import remove_display, shared_folder
from podium_system.processes import pids_of_user
from support.local import KEY, local
from support.waiting import eventually, until

DEPTH = 3000
"""Three times as deep as Python recurses, and longer than the kernel's longest path."""
LIBC = ctypes.CDLL(None)
MS_BIND = 0x1000
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root")


def deep(folder: Path) -> None:
    here = os.open(folder, os.O_PATH)
    for _ in range(DEPTH):
        os.mkdir("abcdef", dir_fd=here)
        below = os.open("abcdef", os.O_PATH, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def many(folder: Path) -> None:
    for number in range(20_000):
        os.mknod(folder / str(number))


def odd_names(folder: Path) -> None:
    for name in ("-rf", "--help", "a\nb", "\udcff\udcfe", "*", " ", "…", "x" * 255):
        (folder / name).touch()
        (folder / f"{name[:250]}.d").mkdir()


def links(folder: Path) -> None:
    (folder / "root").symlink_to("/")
    (folder / "loop").symlink_to("loop")
    (folder / "up").symlink_to("..")


def closed(folder: Path) -> None:
    (folder / "closed" / "within").mkdir(parents=True)
    (folder / "closed" / "within").chmod(0)
    (folder / "closed").chmod(0)


def other_kinds(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(folder)  # the path of a socket is short
        listener.bind("socket")
        os.chdir(here)


def sparse(folder: Path) -> None:
    with open(folder / "large", "wb") as file:
        file.truncate(1 << 40)


def in_the_way(folder: Path) -> None:
    """Names that our own code looks for are something else."""
    for name in ("display", "profile", "downloads", "xauthority"):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()
        (folder / name).mkdir(exist_ok=True)
    (folder / "display" / "not-a-number").touch()


KINDS: list[Callable[[Path], None]] = [deep, many, odd_names, links, closed, other_kinds, sparse, in_the_way]


def a_leftover(folders: Folders, fill: Callable[[Path], None]) -> Path:
    folders.prepare(other_users=False)
    folder = folders.of("left").folder
    folder.mkdir()
    fill(folder)
    return folder


@pytest.mark.parametrize("fill", KINDS, ids=lambda fill: fill.__name__)
async def test_a_start_removes_what_a_killed_gateway_has_left(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    folder = a_leftover(Folders(tmp_path / "run"), fill)
    async with local(tmp_path) as here:
        assert not os.path.lexists(folder)
        await here.create()
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
        await eventually(lambda: not os.listdir(here.folders.root / "removing"), what="the last of it gone")


@pytest.mark.parametrize("fill", KINDS, ids=lambda fill: fill.__name__)
async def test_an_end_is_one_whatever_the_session_has_left(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    async with local(tmp_path) as here:
        await here.create()
        folder = here.provisioner._runs[KEY].paths.folder
        folder.mkdir(exist_ok=True)
        fill(folder)
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
        assert (await here.end_of()).reason is EndReason.REQUESTED
        assert not os.path.lexists(folder)


@needs_root
async def test_what_cannot_be_removed_is_out_of_the_way_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = Folders(tmp_path / "run")

    def a_mount(folder: Path) -> None:
        (folder / "mounted").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder / "mounted"], check=True)
        (folder / "mounted" / "of-somebody-else").touch()

    a_leftover(folders, a_mount)
    try:
        # Not `local`, which wants nothing to be left.
        async with asyncio.timeout(30):
            with contextlib.suppress(AssertionError):
                async with local(tmp_path) as here:
                    await here.create()
                    await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
        assert any(record.message == "not_removed" for record in caplog.records)
        assert [path.name for path in folders.root.rglob("mounted/*")] == ["of-somebody-else"], "what is mounted is not ours"
        async with asyncio.timeout(30):
            with contextlib.suppress(AssertionError):
                async with local(tmp_path) as here:
                    await here.provisioner.create(RunRequest(KEY, max_lifetime=100))
                    await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
    finally:
        mounted = next(folders.root.rglob("mounted"))
        subprocess.run(["umount", mounted], check=True)


@needs_root
async def test_what_cannot_even_be_moved_stops_neither_a_start_nor_an_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = Folders(tmp_path / "run")
    folder = a_leftover(folders, lambda folder: (folder / "file").touch())
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        with contextlib.suppress(AssertionError):
            async with local(tmp_path) as here:
                await here.create()
                mine = here.provisioner._runs[KEY].paths.folder
                mine.mkdir(exist_ok=True)
                subprocess.run(["mount", "--bind", mine, mine], check=True)
                await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
                assert (await here.end_of()).reason is EndReason.REQUESTED
                subprocess.run(["umount", mine], check=True)
        events = {record.message for record in caplog.records}
        assert {"leftover_not_removed", "agent_left_files"} <= events
    finally:
        subprocess.run(["umount", folder], check=True)


def a_pipe_for_a_lock(folder: Path) -> None:
    os.mkfifo(folder / ".X99-lock")


def a_link_without_end(folder: Path) -> None:
    (folder / ".X99-lock").symlink_to("/dev/zero")


def a_lock_without_end(folder: Path) -> None:
    with open(folder / ".X99-lock", "wb") as file:
        file.truncate(1 << 42)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("fill", [a_pipe_for_a_lock, a_link_without_end, a_lock_without_end], ids=lambda fill: fill.__name__)
def test_what_lies_where_a_displays_lock_would_be_keeps_nobody(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    (tmp_path / ".X11-unix").mkdir()
    (tmp_path / ".X11-unix" / "X99").touch()
    fill(tmp_path)
    remove_display(99, folder=tmp_path)
    assert list((tmp_path / ".X11-unix").iterdir()) == []


def test_a_folder_of_x_sockets_that_is_a_link_or_a_sessions_is_refused(tmp_path: Path) -> None:
    shared_folder(folder=tmp_path)
    assert (tmp_path / ".X11-unix").stat().st_mode & 0o7777 == 0o1777
    (tmp_path / ".X11-unix").rename(tmp_path / "elsewhere")
    (tmp_path / ".X11-unix").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"X11-unix"):
        shared_folder(folder=tmp_path)
    if os.geteuid() == 0:
        (tmp_path / ".X11-unix").unlink()
        (tmp_path / ".X11-unix").mkdir()
        os.chown(tmp_path / ".X11-unix", 60001, 60001)
        with pytest.raises(PermissionError, match="is not root's"):
            shared_folder(folder=tmp_path)


@needs_root
def test_nothing_of_a_user_is_left_where_everybody_may_write(tmp_path: Path) -> None:
    """Neither a hundred thousand files nor a program that goes on forking takes longer than the limit."""
    uid = 3_700_000
    mine = [Path(folder) / f"podium-test-{uid}" for folder in ("/tmp", "/dev/shm")]
    for number in range(3000):
        for folder in mine:
            file = Path(f"{folder}-{number}")
            file.touch()
            os.chown(file, uid, uid)
    within = Path("/tmp/.X11-unix") / f"not-a-number-{uid}"
    shared_folder()
    within.touch()
    os.chown(within, uid, uid)
    forks = "import os\nwhile True:\n try:\n  os.fork()\n except OSError:\n  pass"
    limited = f"import os, resource; resource.setrlimit(resource.RLIMIT_NPROC, (300, 300)); os.setuid({uid}); exec({forks!r})"
    bomb = subprocess.Popen(["/usr/bin/env", "python3", "-c", limited], start_new_session=True)
    folders = Folders(tmp_path / "run")
    folders.prepare(other_users=False)
    until(lambda: len(pids_of_user(uid)) >= 100, what="a hundred processes")
    swept = sweep(folders.of("a"), uid=uid, leader=None)
    assert bomb.wait(10) == -signal.SIGKILL
    assert swept.clean
    assert pids_of_user(uid) == []
    assert not within.exists()
    assert not [each for folder in mine for each in folder.parent.glob(f"{folder.name}-*")]


@needs_root
def test_a_group_is_removed_when_the_kernel_has_let_go_of_its_last_process(tmp_path: Path) -> None:
    """One that had much memory is in no list before it leaves its group; here it is another user's and leaves late."""
    name = f"late-{os.getpid()}"
    late = "import sys, time\nfrom podium_system.cgroups import join_group\n"
    late += f"try: print(join_group({name!r}, memory=64 << 20), flush=True)\nexcept OSError: sys.exit('no groups')\ntime.sleep(1)"
    folders = Folders(tmp_path / "run")
    folders.prepare(other_users=False)
    with subprocess.Popen([sys.executable, "-c", late], stdout=subprocess.PIPE, text=True, start_new_session=True) as leaving:
        assert leaving.stdout is not None
        if not (group := leaving.stdout.readline().strip()):
            pytest.skip("control groups cannot be made here")
        assert Path(group).exists()
        assert sweep(folders.of(name), uid=None, leader=None).clean
    assert not list(Path("/sys/fs/cgroup").rglob(f"podium-{name}"))


def exchange(one: Path, other: Path) -> None:
    """Two names, at once: renameat2(2)."""
    here, flag = -100, 2
    assert ctypes.CDLL(None).renameat2(here, os.fsencode(one), here, os.fsencode(other), flag) == 0


@needs_root
def test_a_folder_that_becomes_a_link_while_it_is_swept_leads_nowhere(tmp_path: Path) -> None:
    """A session's files in a folder of another one's, which puts a link to a folder of root's in its place and back without end."""
    uid, other = 3_700_001, 3_700_002
    precious, folder = tmp_path / "precious", Path(f"/tmp/podium-test-{other}")
    link = folder.with_name(f"{folder.name}-link")
    names = [f"file-{number}" for number in range(100)]
    precious.mkdir()
    for name in names:
        (precious / name).touch()
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            exchange(folder, link)
            exchange(folder, link)

    folders = Folders(tmp_path / "run")
    folders.prepare(other_users=False)
    folder.mkdir()
    link.symlink_to(precious)
    try:
        for _ in range(10):
            for name in names:
                (folder / name).touch()
                os.chown(folder / name, uid, uid)
            exchanging = threading.Thread(target=go_on)
            exchanging.start()
            sweep(folders.of("a"), uid=uid, leader=None)
            over.set()
            exchanging.join()
            over.clear()
        assert len(list(precious.iterdir())) == len(names)
        assert sweep(folders.of("a"), uid=uid, leader=None).clean
        assert not list(folder.iterdir())
    finally:
        link.unlink()
        shutil.rmtree(folder)


@needs_root
def test_what_a_session_has_put_into_another_ones_folder_goes_too(tmp_path: Path) -> None:
    uid, other = 3_700_003, 3_700_004
    folders = Folders(tmp_path / "run")
    folders.prepare(other_users=False)
    folder = Path(f"/tmp/podium-test-{other}")
    folder.mkdir(mode=0o777)
    os.chown(folder, other, other)
    (folder / "file").touch()
    os.chown(folder / "file", uid, uid)
    assert sweep(folders.of("a"), uid=uid, leader=None).clean
    assert folder.exists()
    assert not (folder / "file").exists()
    assert sweep(folders.of("a"), uid=other, leader=None).clean
    assert not folder.exists()


KILLS_ITS_KILLERS = """
end = time.monotonic() + 30
while time.monotonic() < end:
    os.write({life}, b".")
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if os.fork():
        os._exit(0)
os.write({life}, b"!")
"""
"""Kills its user's other processes again and again, and is never the same process, so that no list has it."""


@needs_root
def test_a_program_that_kills_whoever_has_its_user_is_killed(tmp_path: Path) -> None:
    uid = 3_700_005
    folders = Folders(tmp_path / "run")
    folders.prepare(other_users=False)
    signs, life = os.pipe()
    as_user = f"import os, signal, time\nos.setuid({uid})\n{KILLS_ITS_KILLERS.format(life=life)}"
    program = subprocess.Popen(["/usr/bin/env", "python3", "-c", as_user], start_new_session=True, pass_fds=[life])
    os.close(life)
    with os.fdopen(signs, "rb", buffering=0) as reader:
        assert program.wait(10) in {0, -signal.SIGKILL}  # its child may be quicker with it
        assert reader.read(1)
        assert sweep(folders.of("a"), uid=uid, leader=None).clean
        assert b"!" not in reader.readall(), "it lived to its own end"


@needs_root
async def test_a_user_of_whom_something_is_left_is_given_back_when_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "AGAIN", 0.05)
    uid = 3_700_100
    file = Path(f"/tmp/podium-test-{uid}")

    def taken_again() -> bool:
        try:
            others = Uids(enabled=True, first=uid, count=1)
            others.take()
        except RuntimeError:
            return False
        others.close()
        return True

    for folder in (tmp_path, *tmp_path.parents[:3]):  # pytest's own, and closed
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o711)
    async with local(tmp_path, first_uid=uid) as here:
        await here.create()
        file.touch()
        os.chown(file, uid, uid)
        assert LIBC.mount(bytes(file), bytes(file), None, MS_BIND, None) == 0  # what is mounted on cannot be removed
        try:
            await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
            await here.end_of()
            for _ in range(5):
                assert not taken_again()
                await asyncio.sleep(0.05)
        finally:
            assert LIBC.umount2(bytes(file), 0) == 0
        await eventually(taken_again, what="the user")
        assert not file.exists()


@needs_root
async def test_what_an_earlier_gateway_has_left_of_a_user_is_removed_unless_the_user_has_a_process(tmp_path: Path) -> None:
    uids = range(3_700_200, 3_700_203)
    files = [Path(f"/tmp/podium-test-{uid}") for uid in uids]
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o711)
    for uid, file in zip(uids, files, strict=True):
        file.touch()
        os.chown(file, uid, uid)
    somebodys = subprocess.Popen(["setpriv", f"--reuid={uids[1]}", "--clear-groups", "/bin/sleep", "60"])
    try:
        until(lambda: pids_of_user(uids[1]), what="the process")
        async with local(tmp_path, first_uid=uids[0]):
            await eventually(lambda: not files[0].exists() and not files[2].exists(), what="the removal")
        assert files[1].exists()
        assert somebodys.poll() is None
    finally:
        somebodys.kill()
        somebodys.wait()
        files[1].unlink()


async def test_when_no_user_is_free_the_pool_and_the_spare_wait_and_a_caller_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_free(_: object) -> None:
        raise RuntimeError("no free user id for a session")

    monkeypatch.setattr(pool, "backoff", lambda failures: 0.01)
    monkeypatch.setattr(spare, "backoff", lambda failures: 0.01)
    async with local(tmp_path, warm=1) as here:
        with monkeypatch.context() as patch:
            patch.setattr(Uids, "take", none_free)
            with pytest.raises(StartFailed, match="no free user id"):
                await here.create()
        await eventually(lambda: here.provisioner.warm() == 1, what="a warm browser, once there are users again")
        await here.create()
        await here.provisioner.end(KEY, reason=EndReason.REQUESTED)
