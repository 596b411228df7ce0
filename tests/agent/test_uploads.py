"""Which files the browser's user can read, and what a client hears that names another one."""

import json
import os
from pathlib import Path

import pytest

from podium_agent.uploads import unseen_files


def asked(*files: str, **more: object) -> bytes:
    return json.dumps({"id": 7, "method": "DOM.setFileInputFiles", "params": {"files": files, "nodeId": 1}} | more).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of root's, with a file for all and one for root alone."""
    for name, mode in (("open", 0o644), ("closed", 0o600)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    for each in (tmp_path, *tmp_path.parents[:-2]):
        each.chmod(0o755)
    return tmp_path


def test_who_may_read_is_left_to_the_browser(folder: Path):
    assert unseen_files(asked(f"{folder}/open"), uid=54_321) is None
    assert unseen_files(asked(str(folder)), uid=54_321) is None
    assert unseen_files(asked(f"{folder}/closed"), uid=0) is None
    assert unseen_files(asked(f"{folder}/closed"), uid=os.geteuid()) is None


@pytest.mark.parametrize("name", ["{folder}/closed", "{folder}/none", "open", "", "/\\0", "{folder}/open/below"])
def test_who_may_not_is_told(folder: Path, name: str):
    path = name.format(folder=folder).replace("\\0", "\0")
    answer = json.loads(unseen_files(asked(f"{folder}/open", path, sessionId="S"), uid=54_321) or b"{}")
    assert (answer["id"], answer["sessionId"], answer["error"]["code"]) == (7, "S", -32000)
    assert f"cannot read {path}: it runs on another machine" in answer["error"]["message"]


def test_a_folder_that_others_may_not_enter_hides_what_is_in_it(folder: Path):
    inner = folder / "inner"
    inner.mkdir(mode=0o700)
    (inner / "file").write_text("x")
    (inner / "file").chmod(0o644)
    assert unseen_files(asked(f"{inner}/file"), uid=54_321) is not None
    assert unseen_files(asked(str(inner)), uid=54_321) is not None


def test_many_are_named_shortly():
    answer = unseen_files(asked(*(f"/none/{number}" + "é" * 3000 for number in range(4))), uid=54_321)
    assert answer is not None
    assert b" and 1 more" in answer
    assert len(answer) < 10_000


@pytest.mark.parametrize(
    "command",
    [b"DOM.setFileInputFiles", b'{"id":1,"method":"X","params":{"files":["/none"]}}', asked().replace(b"[]", b"[1]"), b"[]"],
)
def test_what_is_no_such_command_is_the_browsers(command: bytes):
    assert unseen_files(command, uid=54_321) is None


def test_a_command_nested_too_deep_is_left_to_the_browser():
    nested = "[" * 100_000 + "]" * 100_000
    assert unseen_files(asked().replace(b"[]", nested.encode()), uid=54_321) is None
