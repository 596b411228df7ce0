"""The virtual environment `.venv`: the locked packages, and the workspace's members editable on top of them.

It is made again only when something it was made from has changed: a stamp inside it holds a hash of the lock file and of
the members' `pyproject.toml`, and the checkout's path and Python, which scripts and editable installs contain.
"""

import fcntl
import hashlib
import importlib.util
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from progress import ROOT, StepFailed, fail, run_quietly, say

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "podium-stamp"


def prepare_python() -> None:
    """Bring `.venv` up to date. Raises `SystemExit` with a sentence when it cannot."""
    with _alone():
        identity, content = _identity(), _content()
        stamp = STAMP.read_text().split() if STAMP.exists() else []
        if stamp == [identity, content] and _works():
            return
        try:
            _install(fresh=stamp[:1] != [identity] or not _works())
        except StepFailed as error:
            raise fail(f"the Python packages could not be installed:\n{error}") from error
        STAMP.write_text(f"{identity}\n{content}\n")


def members() -> list[Path]:
    """Folders of the workspace's packages, in the order the root `pyproject.toml` names them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        names: list[str] = tomllib.load(file)["tool"]["uv"]["workspace"]["members"]
    return [ROOT / name for name in names]


def _install(*, fresh: bool) -> None:
    if fresh:
        if importlib.util.find_spec("ensurepip") is None:
            raise fail("this Python cannot make virtual environments yet: sudo apt-get install python3-venv")
        say(f"making .venv with Python {sys.version.split()[0]}")
        run_quietly([sys.executable, "-m", "venv", "--clear", VENV])
    # Without a stamp an interrupted set-up is done again from here, not taken for a finished one.
    STAMP.unlink(missing_ok=True)
    pip: list[str | Path] = [PYTHON, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    say("installing the Python packages of requirements.lock (about a minute the first time)")
    run_quietly([*pip, "--require-hashes", "-r", LOCK])
    say("installing Podium's own packages, editable")
    editable = [argument for member in members() for argument in ("-e", str(member))]
    run_quietly([*pip, "--no-deps", "--no-build-isolation", *editable])


@contextmanager
def _alone() -> Iterator[None]:
    """Two set-ups at once (`make run` beside `make test`) take turns."""
    with LOCK.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this checkout to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _works() -> bool:
    try:
        run_quietly([PYTHON, "-c", "import pip"])
    except StepFailed:
        return False
    return True


def _identity() -> str:
    """What an environment cannot be moved between: a place and a Python."""
    return _digest(str(ROOT).encode(), sys.version.encode(), sys.base_prefix.encode())


def _content() -> str:
    return _digest(LOCK.read_bytes(), *[(member / "pyproject.toml").read_bytes() for member in members()])


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
