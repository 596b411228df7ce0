"""What an image installs is part of what is tested: the same versions, and all that its packages declare."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = {
    "gateway": ["gateway", "crds", "crds/kube", "runtime-image/protocol", "runtime-image/system"],
    "operator": ["operator", "crds", "crds/kube", "runtime-image/protocol", "runtime-image/system"],
    "runtime-image": ["runtime-image/agent", "runtime-image/protocol", "runtime-image/system"],
}


def locked(path: Path) -> dict[str, set[str]]:
    """Each package's pinned versions with all their hashes."""
    pins = re.findall(r"^(\S+==[^\s;]+)[^\\]*\\((?:\n    --hash=\S+(?: \\)?)+)", path.read_text(), re.MULTILINE)
    return {pin: set(re.findall(r"--hash=(\S+)", hashes)) for pin, hashes in pins}


@pytest.mark.parametrize("lock", [*(f"{image}/requirements.lock" for image in MEMBERS), "packaging.lock"])
def test_it_is_a_part_of_the_workspaces_lock(lock: str):
    whole, part = locked(ROOT / "requirements.lock"), locked(ROOT / lock)
    assert part
    assert {pin: hashes for pin, hashes in part.items() if whole.get(pin) != hashes} == {}


@pytest.mark.parametrize("image", MEMBERS)
def test_it_has_what_the_images_packages_declare(image: str):
    pinned = {pin.partition("==")[0].partition("[")[0] for pin in locked(ROOT / image / "requirements.lock")}
    for member in MEMBERS[image]:
        project = tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]
        declared = {re.split(r"[^a-zA-Z0-9._-]", dependency)[0].lower() for dependency in project["dependencies"]}
        assert {name for name in declared if not name.startswith("podium-")} <= pinned, f"make lock: {member} declares more"


@pytest.mark.parametrize("image", MEMBERS)
def test_its_dockerfile_builds_the_packages_it_needs(image: str):
    dockerfile = (ROOT / image / "Dockerfile").read_text()
    copied = {source for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE) for source in line.split()}
    for member in MEMBERS[image]:
        assert any(member == source or member.startswith(f"{source}/") for source in copied), f"{member} is not copied"
