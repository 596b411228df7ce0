"""Commands and answers are counted however the bytes are cut."""

import itertools
import json

import pytest
from websockets.frames import Frame, Opcode

from podium_system.exchange import Messages

LENGTHS = [0, 1, 3, 5, 6, 7, 125, 126, 127, 65_535, 65_536, 200_000]


def frame(payload: bytes, *, mask: bool, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=mask)


def counted(stream: bytes, size: int) -> int:
    messages = Messages()
    for at in range(0, len(stream), size):
        messages.see(stream[at : at + size])
    return messages.count


@pytest.mark.parametrize("size", [1, 2, 3, 7, 14, 15, 64, 1000, 65_536, 10**9])
def test_commands_of_every_length_and_cut(size: int) -> None:
    lengths = LENGTHS if size > 50 else [each for each in LENGTHS if each < 1000]
    stream = b"".join(frame(b"x" * length, mask=True) for length in lengths)
    assert counted(stream, size) == len(lengths)


@pytest.mark.parametrize("size", [1, 2, 5, 11, 100, 10**9])
def test_answers_are_told_from_events(size: int) -> None:
    event = json.dumps({"method": "Network.requestWillBeSent", "params": {"id": 1, "text": '{"id":2}'}}, separators=(",", ":"))
    answer, failure = '{"id":7,"result":{}}', '{"id":8,"error":{"code":-32601}}'
    large = json.dumps({"id": 9, "result": {"data": "y" * 70_000}}, separators=(",", ":"))
    told = [event, answer, event, event, failure, large, "{}", event]
    stream = b"".join(frame(each.encode(), mask=False) for each in told)
    assert counted(stream, size) == 3


@pytest.mark.parametrize("size", [1, 4, 10**9])
def test_a_message_in_parts_is_one_and_control_frames_are_none(size: int) -> None:
    parts = [
        frame(b'{"id":1,', mask=True, fin=False),
        frame(b"", mask=True, opcode=Opcode.PING),
        frame(b'"method":"a"}', mask=True, opcode=Opcode.CONT),
        frame(b"bye", mask=True, opcode=Opcode.CLOSE),
    ]
    assert counted(b"".join(parts), size) == 1


def test_every_cut_of_two_frames() -> None:
    stream = frame(b'{"id":1,"result":{}}', mask=False) + frame(b'{"id":2,"result":{}}' + b" " * 200, mask=False)
    for first, second in itertools.combinations(range(1, 60), 2):
        messages = Messages()
        for part in (stream[:first], stream[first:second], stream[second:]):
            messages.see(part)
        assert messages.count == 2


@pytest.mark.parametrize("size", [1, 6, 36, 37, 100, 10**9])
def test_attachments_are_passed_on_whole(size: int) -> None:
    attached = b'{"method":"Target.attachedToTarget","params":{"waitingForDebugger":true,"title":"' + b"y" * 300 + b'"}}'
    detached = b'{"method":"Target.detachedFromTarget","params":{}}'
    endless = attached.replace(b"y", b"y" * 1000)
    others = [b'{"method":"Target.targetInfoChanged"}', b"{}", b'{"id":1,"result":"Target.attachedToTarget"}', endless]
    stream = b"".join(frame(each, mask=False) for each in (attached, *others, detached, attached))
    told: list[bytes] = []
    messages = Messages()
    messages.told = told.append
    for at in range(0, len(stream), size):
        messages.see(stream[at : at + size])
    assert told == [attached, detached, attached]
    assert messages.count == 1
