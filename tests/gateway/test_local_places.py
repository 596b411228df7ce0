"""What the local provisioner takes from the machine: users, ports, folders, the lock on a home, and what it cleans."""

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from podium_gateway.provision.local import launch
from podium_gateway.provision.local.endings import Exit, exit_of
from podium_gateway.provision.local.folders import Folders, HomeInUse, hold_home
from podium_gateway.provision.local.launch import Launcher, environment_for_agents
from podium_gateway.provision.local.ports import ANY, BLOCKS, Ports
from podium_gateway.provision.local.reserve import FOLDER, reserve, reserve_by_socket
from podium_gateway.provision.local.uids import Uids
from podium_protocol.reasons import EndReason

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a packet filter and users to give")


def test_a_user_is_given_once_and_rests_before_it_is_given_again() -> None:
    uids = Uids(enabled=True, first=3_000_000, count=3, busy=set)
    first, second = uids.take(), uids.take()
    assert (first, second) == (3_000_000, 3_000_001)
    uids.give_back(first)
    assert uids.take() == 3_000_002
    assert uids.take() == 3_000_000
    with pytest.raises(RuntimeError, match="no free user id"):
        uids.take()
    uids.close()


def test_a_user_with_a_process_or_a_name_is_not_given() -> None:
    uids = Uids(enabled=True, first=65533, count=3, busy=lambda: {65533})
    assert uids.take() == 65535  # 65534 is nobody
    uids.close()


def test_who_is_not_root_gives_no_users() -> None:
    assert Uids(enabled=False, first=1).take() is None


def test_what_another_process_holds_is_not_given() -> None:
    held = reserve("uid-3100000")
    assert held is not None
    uids = Uids(enabled=True, first=3_100_000, count=2, busy=set)
    assert uids.take() == 3_100_001
    held.release()
    uids.close()


def test_a_user_that_is_withheld_is_not_given() -> None:
    uids = Uids(enabled=True, first=3_200_000, count=2, busy=set)
    uids.withhold(3_200_000)
    assert uids.take() == 3_200_001
    uids.close()


def test_who_is_not_root_has_chromium_choose_its_port() -> None:
    ports = Ports(guarded=False)
    ports.open()
    assert ports.take() == ANY
    ports.close()


@needs_root
def test_ports_are_given_once_and_rest_and_run_out() -> None:
    ports = Ports(guarded=True, first=29300, count=3)
    ports.open()
    try:
        assert [ports.take(), ports.take()] == [29300, 29301]
        ports.give_back(29300)
        with socket.create_server(("127.0.0.1", 29302)):  # another program's
            assert ports.take() == 29300
        assert ports.take() == 29302
        with pytest.raises(RuntimeError, match="no free DevTools port"):
            ports.take()
    finally:
        ports.close()


@needs_root
def test_two_gateways_have_ports_and_rules_of_their_own_and_leave_none() -> None:
    one, two = Ports(guarded=True, first=29300, count=3), Ports(guarded=True, first=29300, count=3)
    for ports in (one, two):
        ports.open()
    assert (one.take(), two.take()) == (29300, 29303)
    assert _tables() >= {"podium_29300", "podium_29303"}
    one.close()
    with socket.create_server(("127.0.0.1", 29303)):
        assert [_connects(29303, uid=uid) for uid in (0, 60001)] == [True, False]
    two.close()
    assert not _tables() & {"podium_29300", "podium_29303"}


@needs_root
def test_what_a_gateway_that_was_killed_has_left_is_replaced() -> None:
    killed = Ports(guarded=True, first=29300, count=3)
    killed.open()
    assert killed._held is not None
    killed._held.release()
    after = Ports(guarded=True, first=29300, count=3)
    after.open()
    assert after.take() == 29300
    after.close()
    assert "podium_29300" not in _tables()


@needs_root
def test_what_a_gateway_that_was_killed_has_left_is_removed_also_by_one_that_takes_other_ports() -> None:
    killed, living, after = (Ports(guarded=True, first=29300, count=3) for _ in range(3))
    killed.open()
    living.open()
    assert killed._held is not None
    killed._held.release()
    with socket.create_server(("127.0.0.1", 29301)):
        after.open()
    assert after.take() == 29306
    assert {name for name in _tables() if name.startswith("podium_293")} == {"podium_29303", "podium_29306"}
    for ports in (living, after):
        ports.close()


@needs_root
def test_names_that_a_program_holds_leave_no_port_unguarded() -> None:
    ports = Ports(guarded=True, first=29300, count=3)
    names = [reserve_by_socket(f"network-devtools-ports-{29300 + 3 * number}") for number in range(BLOCKS)]
    assert None not in names
    try:
        ports.open()
        assert ports.take() == 29300
        assert "podium_29300" in _tables()
    finally:
        ports.close()
        for name in names:
            assert name is not None
            name.release()


@needs_root
def test_only_root_opens_connections_to_a_guarded_port_and_other_ports_are_as_they_were() -> None:
    ports = Ports(guarded=True, first=29300, count=2)
    ports.open()
    try:
        with socket.create_server(("127.0.0.1", 29301)), socket.create_server(("127.0.0.1", 29302)):
            assert [_connects(port, uid=uid) for port in (29301, 29302) for uid in (0, 60001)] == [True, False, True, True]
    finally:
        ports.close()


@needs_root
def test_a_machine_without_the_packet_filter_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    ports = Ports(guarded=True)
    ports.open()
    assert ports.take() == ANY
    assert [(record.message, record.error) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("devtools_ports_not_guarded", "nft is not installed; install it with: apt-get install nftables")
    ]


def _tables() -> set[str]:
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in listed.splitlines()}


def _connects(port: int, *, uid: int) -> bool:
    command = ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]
    done = subprocess.run(command, user=uid, group=uid, extra_groups=[], capture_output=True, text=True)
    assert done.returncode == 0 or "Connection refused" in done.stderr, done.stderr
    return done.returncode == 0


def test_an_agents_code_is_compiled_before_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "podium_example").mkdir()
    (tmp_path / "podium_example" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(launch, "_CODE", ("podium_example", "podium_missing"))
    launch.compile_agents()
    assert len(list((tmp_path / "podium_example" / "__pycache__").iterdir())) == 1


@needs_root
def test_nobody_but_root_holds_a_user_id_or_a_port() -> None:
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind("\0podium-uid-3300000")
        uids = Uids(enabled=True, first=3_300_000, count=2, busy=set)
        assert uids.take() == 3_300_000
        uids.close()


def test_what_is_released_is_free_and_nothing_of_it_is_left() -> None:
    for _ in range(2):
        held = reserve("test-released")
        assert held is not None
        assert reserve("test-released") is None
        held.release()
        held.release()
    assert not (FOLDER / "test-released").exists()


def test_two_gateways_do_not_share_a_home(tmp_path: Path) -> None:
    with hold_home(tmp_path):
        script = (
            "import sys\nfrom pathlib import Path\n"
            "from podium_gateway.provision.local.folders import hold_home\n"
            f"with hold_home(Path({str(tmp_path)!r})): pass"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
        assert f"HomeInUse: another Podium (process {os.getpid()})" in done.stderr.replace(
            "podium_gateway.provision.local.folders.", ""
        )
    with hold_home(tmp_path):
        pass


def test_a_home_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_home(tmp_path):
            with pytest.raises(HomeInUse):
                with hold_home(tmp_path):
                    pass


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_keep_sessions_apart(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "run" / "podium")
    folders.prepare(other_users=False)
    assert [_mode(tmp_path / "run" / "podium" / name) for name in ("", "sessions", "agents", "gateway")] == [
        0o711,
        0o711,
        0o700,
        0o700,
    ]
    paths = folders.of("a1")
    paths.folder.mkdir()
    paths.socket.touch()
    paths.end_note.touch()
    folders.of("b2").socket.touch()
    assert [left.name for left in folders.left()] == ["a1", "b2"]
    for left in folders.left():
        left.remove()
    assert folders.left() == []


def test_a_root_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "podium").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        Folders(tmp_path / "podium").prepare(other_users=False)


def test_a_root_that_sessions_users_cannot_reach_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    with pytest.raises(PermissionError, match="PODIUM_RUNTIME"):
        Folders(tmp_path / "closed" / "podium").prepare(other_users=True)


@pytest.mark.parametrize(
    ("story", "code", "note", "expected"),
    [
        ("the code says it", 10, None, Exit(EndReason.IDLE_TIMEOUT)),
        (
            "the note adds a sentence",
            21,
            '{"reason":"BrowserCrashed","message":"no Chromium"}',
            Exit(EndReason.BROWSER_CRASHED, "no Chromium"),
        ),
        ("a signal", -9, None, Exit(EndReason.AGENT_CRASHED, "the browser's agent was killed by SIGKILL")),
        ("an accident", 1, None, Exit(EndReason.AGENT_CRASHED, "the browser's agent ended with exit code 1")),
        ("a note that is none", 0, "{", Exit(EndReason.REQUESTED)),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_why_an_agent_ended(tmp_path: Path, story: str, code: int, note: str | None, expected: Exit) -> None:
    file = tmp_path / "x.end.json"
    if note is not None:
        file.write_text(note)
    assert exit_of(code, file) == expected, story


def test_an_agent_sees_nothing_of_the_gateways_secrets() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "PODIUM_DATABASE_URL": "postgresql://u:secret@h/d", "AWS_SECRET_ACCESS_KEY": "x"}
    assert environment_for_agents(environ) == {"PATH": "/bin", "LC_ALL": "C"}


def test_an_agents_command_line(tmp_path: Path) -> None:
    launcher = Launcher(key="k=v", environment={}, chromium="/opt/chrome", sandbox="required")
    paths = Folders(tmp_path).of("a1")
    command = launcher.command(paths, uid=50001, headless=True, port=6000, ready_fd=5)
    said = " ".join(command[1:])
    for part in (
        "-m podium_agent",
        f"--listen unix:{tmp_path}/agents/a1.sock",
        f"--folder {tmp_path}/sessions/a1",
        "--key k=v",
        "--uid 50001",
        "--headless",
        "--ready-fd 5",
        "--devtools-port 6000",
        "--chromium /opt/chrome",
        "--sandbox required",
        f"--parent {os.getpid()}",
    ):
        assert part in said
    plain = " ".join(launcher.command(paths, uid=None, headless=False, port=ANY, ready_fd=5))
    assert not any(word in plain for word in ("--uid", "--headless", "--devtools-port"))
