"""What a session's own client and its own programs can do to the machine and to other sessions, as root runs them: nothing.

A client of DevTools is a caller, and more than a page: it opens Chromium's own pages, and names paths. And whatever it may be able
to run in its browser runs as the session's user, so programs are started as that user, in that browser's mounts.
"""

import asyncio
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from podium_system.processes import pids_of_user
from support.podium import LocalPodium
from support.records import end_session
from support.site import Site
from support.stock import connected
from support.traces import Traces, begin_session
from support.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="without root all sessions are one user"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(gateway: LocalPodium) -> AsyncIterator[tuple[Browser, Traces, Traces]]:
    """A client of one session, that session on the machine, and another one there."""
    mine, other = await begin_session(gateway, "mine"), await begin_session(gateway, "other")
    async with async_playwright() as playwright:
        yield await connected(playwright, gateway.ws_url("mine")), mine, other
    for name in ("mine", "other"):
        await end_session(gateway.http, name)


def as_program_of(traces: Traces, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program as code in the session's browser process would run it."""
    spaces = [f"--{kind}=/proc/{traces.chromium}/ns/{name}" for kind, name in (("mount", "mnt"), ("ipc", "ipc"))]
    inside = ["nsenter", *spaces, "setpriv", f"--reuid={traces.uid}", f"--regid={traces.uid}"]
    inside += ["--clear-groups", "env", "-i", "PATH=/usr/bin:/bin", *(f"{name}={value}" for name, value in environment.items())]
    return subprocess.run([*inside, *command], capture_output=True, text=True, timeout=30)


async def test_a_program_of_a_session_connects_to_no_devtools_port(two: tuple[Browser, Traces, Traces], site: Site) -> None:
    _, mine, other = two
    port = int(site.url.rpartition(":")[2])
    for target, opens in ((port, True), (mine.port, False), (other.port, False)):
        for address in ("127.0.0.1", "localhost"):
            done = as_program_of(mine, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{target}")
            assert (done.returncode == 0) == opens, (target, address, done.stderr)
        with socket.create_connection(("127.0.0.1", target), timeout=5):
            pass  # there is somebody to reach


class _Discovered(BaseHTTPRequestHandler):
    """Answers Chromium's discovery of targets as a browser would."""

    def do_GET(self) -> None:
        page = {"id": "1", "title": "found by discovery", "type": "page", "url": "http://found/", "description": ""}
        page["webSocketDebuggerUrl"] = "ws://127.0.0.1:1/devtools/page/1"
        version = {
            "Browser": "Chrome/156.0.0.0",
            "Protocol-Version": "1.3",
            "webSocketDebuggerUrl": "ws://127.0.0.1:1/devtools/browser",
        }
        answer = json.dumps(version if "version" in self.path else [page]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None: ...


@contextmanager
def discovered() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Discovered) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


async def test_chromiums_own_discovery_finds_no_session(
    gateway: LocalPodium, two: tuple[Browser, Traces, Traces], site: Site
) -> None:
    """It opens its sockets itself and knows no ports that pages may not open."""
    browser, mine, other = two
    answer = await gateway.http.post("/api/sessions/other/navigate", json={"url": f"{site.url}/form.html"})
    assert answer.status_code == 200, answer.text
    page = browser.contexts[0].pages[0]
    await page.goto("chrome://inspect/#devices")
    with discovered() as port:
        addresses = [f"127.0.0.1:{each}" for each in (mine.port, other.port, port)]
        await page.evaluate(
            """addresses => {
                chrome.send("set-tcp-discovery-config", [addresses]);
                chrome.send("set-discover-tcp-targets-enabled", [true]);
            }""",
            addresses,
        )

        async def shown() -> str:
            text = await page.inner_text("#devices-list")
            return text if "found by discovery" in text else ""

        # What looks finds what is there, several times over.
        for _ in range(3):
            await eventually(shown, what="the target of nobody's")
            await asyncio.sleep(1)  # its own period
        text = await shown()
    assert "form.html" not in text, text


async def test_a_client_puts_no_module_where_a_browser_loads_it_from(two: tuple[Browser, Traces, Traces]) -> None:
    """NSS loads what `pkcs11.txt` in its folder of certificates names, into the browser process, outside of any sandbox."""
    browser, mine, _ = two
    library = next(Path("/usr/lib").rglob("libsoftokn3.so"))  # a module of NSS' own kind
    folder = mine.folder / "home" / ".local/share/pki/nssdb"
    cdp = await browser.new_browser_cdp_session()
    page = browser.contexts[0].pages[0]
    module = f"library={folder}/mark.so\nname=mark\n"
    files = {"mark.so": library.read_bytes(), "pkcs11.txt": f"library=\nname=NSS Internal\nNSS=Flags=internal\n\n{module}".encode()}
    for _ in range(15):  # Podium names its own folder again and again, so it is a question of who is faster
        for name, content in files.items():
            await cdp.send("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
            await page.evaluate(
                """([name, content]) => {
                    const bytes = Uint8Array.from(atob(content), one => one.charCodeAt(0));
                    const link = Object.assign(document.createElement("a"), {download: name});
                    link.href = URL.createObjectURL(new Blob([bytes]));
                    link.click();
                }""",
                [name, base64.b64encode(content).decode()],
            )
            await asyncio.sleep(0.1)
        assert not folder.exists()
    await page.goto("chrome://certificate-manager/")
    assert await page.title()
    assert "mark.so" not in Path(f"/proc/{mine.chromium}/maps").read_text()


@pytest.mark.skipif(shutil.which("xdg-open") is None, reason="no xdg-open on this machine")
async def test_a_link_starts_no_program(two: tuple[Browser, Traces, Traces]) -> None:
    """A scheme that is not Chromium's own is xdg-open's, which goes by files that a client can have downloaded into place."""
    browser, mine, _ = two
    mark, script = mine.folder / "tmp" / "mark", mine.folder / "tmp" / "script"
    entry = f"[Desktop Entry]\nType=Application\nName=x\nExec=/bin/sh {script}\n"
    here = os.path.relpath(mine.folder / "tmp", "/usr/share/applications")
    files = {
        script: f"touch {mark}\n",
        mine.folder / "tmp" / "chromium.desktop": entry,
        mine.folder / "home/.config/mimeapps.list": f"[Default Applications]\nx-scheme-handler/mailto={here}/chromium.desktop\n",
    }
    for path, content in files.items():
        assert as_program_of(mine, "sh", "-c", 'printf %s "$CONTENT" > "$0"', str(path), CONTENT=content).returncode == 0
    page = browser.contexts[0].pages[0]
    await page.goto("data:text/html,<a href='mailto:x@example.com'>write</a>")
    for _ in range(5):  # the first one's program has started by then
        await page.click("a", no_wait_after=True)
        await page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert not mark.exists()


@pytest.mark.skipif(shutil.which("ipcmk") is None, reason="no ipcmk on this machine")
async def test_what_a_session_makes_of_system_v_is_its_own_and_ends_with_it(two: tuple[Browser, Traces, Traces]) -> None:
    _, mine, other = two
    kinds = {"shm": ("--shmem", "4096"), "sem": ("--semaphore", "4"), "msg": ("--queue",)}
    lists = [f"/proc/sysvipc/{kind}" for kind in kinds]
    before = [Path(path).read_text() for path in lists]
    for options in kinds.values():
        assert as_program_of(mine, "ipcmk", *options, "--mode", "0666").returncode == 0
    owned = as_program_of(mine, "cat", *lists).stdout.split().count(str(mine.uid))
    assert owned >= len(kinds), "there is something to see"
    assert str(mine.uid) not in as_program_of(other, "cat", *lists).stdout.split()
    assert [Path(path).read_text() for path in lists] == before


async def test_nothing_that_a_session_can_write_is_executed_or_loaded(two: tuple[Browser, Traces, Traces]) -> None:
    _, mine, _other = two
    program = "/bin/true"
    places = [mine.folder / name for name in ("profile", "tmp", "downloads", "vnc", "home/.config", "home/.cache")]
    places += [Path("/tmp"), Path("/dev/shm")]
    for place in places:
        copy = f"{place}/copy-of-{mine.uid}"
        done = as_program_of(mine, "cp", program, copy)
        assert done.returncode == 0, done.stderr
        assert "Permission denied" in as_program_of(mine, copy).stderr
        loaded = as_program_of(mine, program, LD_PRELOAD=copy).stderr
        assert "failed to map segment" in loaded, loaded
        assert as_program_of(mine, "rm", copy).returncode == 0
    hosts = mine.folder / "profile" / "NativeMessagingHosts"  # whose files name programs
    assert "Permission denied" in as_program_of(mine, "touch", f"{hosts}/host.json").stderr
    library = next(Path("/lib").rglob("libm.so.6"))
    assert as_program_of(mine, program, LD_PRELOAD=str(library)).stderr == "", "the machine's own is loaded"


async def test_a_session_changes_no_name_that_root_goes_by_and_no_file_of_the_machine(
    two: tuple[Browser, Traces, Traces],
) -> None:
    _, mine, other = two
    open_to_all = Path(tempfile.mkdtemp(prefix="podium-open-", dir="/var/lib"))  # a folder as some machines have
    open_to_all.chmod(0o1777)
    try:
        for command in (
            f"mv {mine.folder}/downloads {mine.folder}/away",
            f"ln -s /etc {mine.folder}/link",
            f"rm -f {mine.folder}/display",
            f"mkdir -p {mine.folder}/home/.pki",
            f"ls {other.folder}",
            f"touch {mine.folder.parent}/file",
            f"ls {mine.socket.parent}",
            f"touch {open_to_all}/file",
            "touch /var/tmp/file",
            f"kill {other.chromium}",
            f"cat /proc/{other.chromium}/environ",
        ):
            done = as_program_of(mine, "bash", "-c", command)
            assert done.returncode != 0, command
    finally:
        open_to_all.rmdir()


async def test_no_process_of_a_session_has_a_file_of_the_services(
    gateway: LocalPodium, two: tuple[Browser, Traces, Traces]
) -> None:
    """A terminal that is open in Chromium is one that native code can read what root types from; a log is one to write into."""
    _, mine, _ = two
    service = {os.readlink(f"/proc/{gateway.process.pid}/fd/{number}") for number in (1, 2)}
    assert "/dev/null" not in service, "there is nothing that could be found"
    assert mine.uid is not None
    for pid in pids_of_user(mine.uid):
        held = [Path(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
        assert not {os.readlink(each) for each in held if each.is_symlink()} & service, Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_programs_and_memory_of_a_session_are_bounded(gateway: LocalPodium, two: tuple[Browser, Traces, Traces]) -> None:
    _, mine, other = two
    for traces in (mine, other):
        limits = Path(f"/proc/{traces.chromium}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max processes"))
        assert line.split()[2:4] == ["4096", "4096"]
        groups = Path(f"/proc/{traces.chromium}/cgroup").read_text()
        # Either the whole session is in a group of its own, or the log says why not.
        assert f"podium-{traces.folder.name}" in groups or "memory_not_bounded" in gateway.log.read_text()
