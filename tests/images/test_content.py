"""What is in the images and, more so, what is not: no way to a mirror, no compiler, nothing of the build."""

import re
import stat
from pathlib import Path

import pytest

from image_secrets import apt_settings, pip_settings
from support.archive import Entry, ImageArchive

ROOT = Path(__file__).parents[2]
NAMES = ("gateway", "operator", "browser", "browser-light")
LOCKS = {"gateway": "gateway", "operator": "operator", "browser": "runtime-image", "browser-light": "runtime-image"}

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

_entries: dict[Path, list[Entry]] = {}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def image(name: str, images: dict[str, ImageArchive]) -> ImageArchive:
    return images[name]


@pytest.fixture
def entries(image: ImageArchive) -> list[Entry]:
    """Every file of every layer; read once."""
    if image.path not in _entries:
        _entries[image.path] = list(image.entries())
    return _entries[image.path]


def test_it_has_the_projects_name_and_version(name: str, image: ImageArchive):
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    repository, _, variant = name.partition("-")
    tag = f"podium/{repository}:{version[1]}" + (f"-{variant}" if variant else "")
    assert {found.removeprefix("docker.io/").removeprefix("localhost/") for found in image.tags} == {tag}


def test_it_runs_as_a_user_without_rights(image: ImageArchive, entries: list[Entry]):
    assert image.config["User"] == "1000:1000"
    last = {entry.path: entry for entry in entries}
    assert [path for path, entry in last.items() if entry.mode & (stat.S_ISUID | stat.S_ISGID)] == []


def test_nothing_says_how_this_machine_reaches_its_mirrors(entries: list[Entry], base_made_here: bool):
    files = [entry.path for entry in entries]
    assert [path for path in files if path.startswith("run/secrets/") or path.endswith(("pip.conf", ".netrc", ".pypirc"))] == []
    written = [line.strip() for text in (apt_settings(), pip_settings()) for line in text.splitlines()]
    told = [line.encode() for line in written if "://" in line or "Acquire::" in line]
    for certificate in Path("/usr/local/share/ca-certificates").glob("**/*.crt"):
        told.append(certificate.read_bytes().splitlines()[1])
    assert [(entry.path, secret) for entry in entries for secret in told if secret in entry.content] == []
    addresses = {
        (entry.path, address)
        for entry in entries
        if (base_made_here or entry.layer > 0)  # Debian's own image names Debian's own mirror
        if re.match(r"etc/apt/(sources|apt\.conf|auth)", entry.path)
        for address in re.findall(rb"https?://[^/\s]+", entry.content)
    }
    assert addresses == set()


def test_it_has_neither_compiler_nor_installer_nor_what_they_leave(entries: list[Entry]):
    tools = {"gcc", "cc", "g++", "cpp", "as", "ld", "make", "pip", "pip3", "uv", "git", "curl", "wget"}
    programs = [entry.path for entry in entries if re.search(r"(^|/)s?bin/[^/]+$", entry.path)]
    assert [path for path in programs if path.rpartition("/")[2] in tools] == []
    folders = re.compile(r"(root/\.cache|build|tmp|var/lib/apt/lists|var/cache/apt)/.")
    assert [entry.path for entry in entries if entry.size and folders.match(entry.path)] == []
    assert [entry.path for entry in entries if entry.path.endswith((".whl", ".deb", "packaging.lock"))] == []


def test_its_python_packages_are_those_of_its_lock_and_our_own(name: str, entries: list[Entry]):
    lock = (ROOT / LOCKS[name] / "requirements.lock").read_text()
    locked = {found[1].lower(): found[2] for found in re.finditer(r"^(\S+?)==([^\s;]+)", lock, re.MULTILINE)}
    folders = {found[0] for entry in entries if (found := re.search(r"site-packages/[^/]+\.dist-info", entry.path))}
    there = dict(re.sub(r".*/|\.dist-info", "", folder).lower().replace("_", "-").rsplit("-", 1) for folder in folders)
    own = {package for package in there if package.startswith("podium-")}
    assert {package: version for package, version in there.items() if package not in own} == locked
    assert "podium-protocol" in own


def test_the_gateway_has_the_live_views_files(images: dict[str, ImageArchive]):
    assert any(entry.path == "usr/share/novnc/core/rfb.js" for entry in images["gateway"].entries())


def test_the_browsers_are_not_too_large(images: dict[str, ImageArchive]):
    standard, light = (images[name].path.stat().st_size for name in ("browser", "browser-light"))
    print(f"standard {standard / 1e9:.2f} GB, light {light / 1e9:.2f} GB")
    assert standard <= 1.3e9
    assert light < standard


def test_the_light_one_has_no_screen(images: dict[str, ImageArchive]):
    programs = {
        name: {e.path for e in images[name].entries() if e.path.startswith("usr/bin/")} for name in ("browser", "browser-light")
    }
    assert {"usr/bin/Xvfb", "usr/bin/x11vnc"} <= programs["browser"]
    assert not {"usr/bin/Xvfb", "usr/bin/x11vnc"} & programs["browser-light"]
