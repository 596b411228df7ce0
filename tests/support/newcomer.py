"""Somebody who follows the documents on a machine of their own: a checkout, port 8080, and example.com behind a network.

The machine is a network namespace and a mount namespace, so ports are free whatever else runs here, and a hosts file leads
example.com to a site of ours. The checkout is a folder of links to this one with a `.podium` of its own.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.blocks import ROOT, Block
from support.chromium import find_chromium
from support.example_site import HOSTS, PIN
from support.podium import STOP_LIMIT

__all__ = ["Newcomer", "newcomer"]

URL: Final = "http://127.0.0.1:8080"
LIMIT: Final = 300.0
"""Seconds for all blocks of a page."""
_CURL: Final = """#!/bin/sh
# As a reader's curl on a terminal, where lines come out at once; an error status is a failure, and each call is named.
exec stdbuf -oL {curl} --fail-with-body --no-progress-meter -w '%{{stderr}}curl: %{{http_code}} %{{method}} %{{url}}\\n' "$@"
"""
_CHROMIUM: Final = """#!/bin/sh
# The stand-in for example.com has no certificate that a browser trusts; this one trusts its key.
exec {chromium} --ignore-certificate-errors-spki-list={pin} "$@"
"""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A terminal in a checkout where `make run` is up."""

    folder: Path
    enter: tuple[str, ...]
    """The command that runs another one on the newcomer's machine."""
    path: str
    user_id: str
    key: str

    def run(self, script: str, *, limit: float = LIMIT) -> str:
        """What a shell script said on both outputs. Raises `AssertionError`: it failed, or has not ended."""
        return _run([*self.enter, "bash", "-eu", "-c", script], folder=self.folder, path=self.path, limit=limit)

    def curl(self, path: str, *arguments: str) -> str:
        """The answer to a call of our own."""
        words = ["curl", "-H", f"Authorization: Bearer {self.key}", *arguments, URL + path]
        return self.run(f"{shlex.join(words)} 2>/dev/null")

    def follow(self, blocks: list[Block], placeholders: dict[str, str], *, before: str = "") -> str:
        """Run the blocks of a page in one shell, in order, as they stand but for the placeholders, each of which is there."""
        for placeholder in placeholders:
            assert any(placeholder in block.text for block in blocks), f"{placeholder} is in no block"
        script = ['waiting() { for _ in $(seq 600); do grep -q "$1" "$2" && return; sleep 0.1; done; cat "$2" >&2; return 1; }']
        script += ["trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", before]
        for number, block in enumerate(blocks):
            text = block.text
            for placeholder, value in placeholders.items():
                text = re.sub(rf"(?<![$\w]){re.escape(placeholder)}(?!\w)", value.replace("\\", r"\\"), text)
            script.append(f"echo {shlex.quote('block ' + block.name)} >&2")
            if not block.shell:
                (self.folder / "example.py").write_text(text)
                script.append(".venv/bin/python example.py")
            elif "Upgrade: websocket" in text:
                # It stays open, as in a terminal of its own, while the reader goes on.
                script.append(f"{{ {text}\n}} >upgrade-{number}.txt 2>&1 &\nwaiting '^HTTP/1.1 101 ' upgrade-{number}.txt")
            else:
                script.append(text)
        return self.run("\n".join(script))


def _run(command: list[str], *, folder: Path, path: str, limit: float) -> str:
    with subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate(timeout=10)
            raise AssertionError(f"not done after {limit:g} s:\n{said}") from None
    assert process.returncode == 0, f"exit status {process.returncode}:\n{said}"
    return said


def _environment(path: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PODIUM_", "MAKE", "PYTEST")) and name != "PORT"
    }
    return kept | {"PATH": path, "no_proxy": "*"}


def _program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def _checkout(folder: Path) -> None:
    folder.mkdir()
    for found in ROOT.iterdir():
        if found.name != ".podium":
            (folder / found.name).symlink_to(found)


@contextmanager
def _machine(folder: Path) -> Iterator[tuple[str, ...]]:
    """Namespaces with the site in them; gives the command that enters them."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    keep = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {host}\n" for host in HOSTS))
    inside = f"mount --bind {hosts} /etc/hosts && exec {sys.executable} -m support.example_site {folder}"
    command = ["unshare", *user, "--net", "--mount", "sh", "-c", inside]
    with subprocess.Popen(command, cwd=ROOT / "tests", stdout=subprocess.PIPE, text=True) as site:
        try:
            assert site.stdout is not None
            assert site.stdout.readline() == "ready\n"
            yield ("nsenter", f"--target={site.pid}", "--net", "--mount", f"--wd={folder / 'podium'}", *keep)
        finally:
            site.terminate()


@contextmanager
def newcomer(**settings: str) -> Iterator[Newcomer]:
    """`make run`, as README says it, until the block ends."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podium-newcomer-", ignore_cleanup_errors=True)))
        folder.chmod(0o711)  # sessions' users pass through to the programs
        _checkout(folder / "podium")
        enter = stack.enter_context(_machine(folder))
        programs = folder / "programs"
        programs.mkdir()
        curl = _run(["sh", "-c", "command -v curl"], folder=folder, path=os.environ["PATH"], limit=10).strip()
        _program(programs, "curl", _CURL.format(curl=curl))
        _program(programs, "chromium", _CHROMIUM.format(chromium=find_chromium(), pin=(folder / PIN).read_text()))
        path = f"{programs}:{os.environ['PATH']}"
        environment = _environment(path) | {"PODIUM_CHROMIUM": str(programs / "chromium"), **settings}
        log = stack.enter_context((folder / "serve.log").open("w"))
        command = [*enter, "make", "run"]
        process = stack.enter_context(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True))
        try:
            banner = "".join(_until(process, "Ctrl-C"))
            user_id, key = (_found(rf"{name}: (\S+)", banner) for name in ("user id", "API key"))
            assert f"Podium is ready on {URL}" in banner
            yield Newcomer(folder / "podium", enter, path, user_id, key)
        except BaseException:
            print((folder / "serve.log").read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(STOP_LIMIT)


def _until(process: "subprocess.Popen[str]", word: str) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if word in line:
            return
    raise RuntimeError(f"make run ended with {process.wait()}")


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} not in {text}"
    return match[1]
