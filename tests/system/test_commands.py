"""Commands that are answered on their way, however their bytes come; everything else passes byte for byte."""

import json
import random

import pytest
from websockets.frames import Frame, Opcode

from podium_system.commands import Commands, text_frame

NEEDLE = b"DOM.setFileInputFiles"
OTHER = json.dumps({"id": 1, "method": "Runtime.evaluate", "params": {"expression": "0"}, "sessionId": "A" * 32}).encode()
ASKED = json.dumps({"id": 2, "method": NEEDLE.decode(), "params": {"files": ["/x"]}, "sessionId": "A" * 32}).encode()


def frame(text: bytes, *, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    return Frame(opcode, text, fin=fin).serialize(mask=True)


def taken(data: bytes) -> tuple[bytes, list[bytes]]:
    commands = Commands(NEEDLE, lambda text: b"answer to " + text)
    return commands.passed(data), commands.answers


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([OTHER], id="another command"),
        pytest.param([OTHER, OTHER, b"{}", OTHER], id="several"),
        pytest.param([b"x" * 20_000], id="a large one"),
        pytest.param([b"x" * 70_000], id="a larger one"),
        pytest.param([b""], id="an empty one"),
    ],
)
def test_what_is_not_meant_passes_as_it_is(frames: list[bytes]):
    data = b"".join(map(frame, frames))
    assert taken(data) == (data, [])


def test_a_command_is_taken_out_wherever_it_stands():
    for before in range(3):
        for after in range(3):
            others = [frame(OTHER) for _ in range(before + after)]
            data = b"".join([*others[:before], frame(ASKED), *others[before:]])
            assert taken(data) == (b"".join(others), [b"answer to " + ASKED])
    twice = frame(ASKED) + frame(OTHER) + frame(ASKED)
    passed, answers = taken(twice)
    assert (len(answers), len(passed)) == (2, len(frame(OTHER)))


@pytest.mark.parametrize("length", [80, 100, 125, 126, 127, 300, 4096, 16 << 10])
def test_every_length_and_mask_is_read(length: int):
    for seed in range(20):
        text = ASKED + b" " * (length - len(ASKED)) if length > len(ASKED) else NEEDLE + b" " * (length - len(NEEDLE))
        random.seed(seed)
        assert taken(frame(text)) == (b"", [b"answer to " + text])


def test_what_does_not_come_whole_or_is_no_message_of_its_own_passes():
    whole = frame(ASKED)
    for end in range(len(whole)):
        assert taken(whole[:end]) == (whole[:end], [])
    for odd in (frame(ASKED, fin=False), frame(ASKED, opcode=Opcode.BINARY), frame(ASKED, opcode=Opcode.CONT)):
        assert taken(odd) == (odd, [])


def test_a_command_that_is_left_to_the_browser_passes():
    commands, whole = Commands(NEEDLE, lambda _: None), frame(ASKED)
    assert (commands.passed(whole), commands.answers) == (whole, [])


@pytest.mark.parametrize("length", [1, 125, 126, 65_535])
def test_an_answer_is_a_servers_message(length: int):
    assert text_frame(b"x" * length) == Frame(Opcode.TEXT, b"x" * length).serialize(mask=False)
