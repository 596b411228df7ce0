"""Whether a command waits for its answer, however the bytes of both came, and what is answered on the way."""

import asyncio
import json
from typing import cast

import pytest

from podium_system.commands import Commands, text_frame
from podium_system.pair import GATHERED, Pair
from system.test_commands import frame

NEEDLE = b"DOM.setFileInputFiles"
COMMAND = b'{"id":1,"method":"Runtime.evaluate","params":{"expression":"1"}}'
ANSWER = text_frame(b'{"id":1,"result":{"value":1}}')
LARGE = text_frame(b'{"id":1,"result":{"value":"' + b"x" * 5000 + b'"}}')
EVENT = text_frame(b'{"method":"Target.attachedToTarget","params":{"sessionId":"A"}}')


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...

    def set_protocol(self, _: asyncio.BaseProtocol) -> None: ...


def joined() -> tuple[Pair, Wire, Wire]:
    pair, client, upstream = Pair(asyncio.get_running_loop(), watched=True), Wire(), Wire()
    pair.join(client=cast(asyncio.Transport, client), upstream=cast(asyncio.Transport, upstream))
    return pair, client, upstream


@pytest.mark.parametrize("answer", [ANSWER, LARGE, EVENT + ANSWER, ANSWER + EVENT], ids=["small", "large", "behind", "before"])
async def test_a_command_waits_until_its_answer_is_whole_wherever_both_are_cut(answer: bytes) -> None:
    command = frame(COMMAND)
    for cut in range(1, min(len(answer), 200)):
        pair, client, upstream = joined()
        heard: list[bytes] = []
        pair.listen(heard.append)
        for part in (command[: cut % len(command)], command[cut % len(command) :]):
            if part:
                pair.client.data_received(part)
        waited = [pair.waiting]
        for part in (answer[:cut], answer[cut:]):
            if part:
                pair.upstream.data_received(part)
        assert [*waited, pair.waiting] == [True, False], cut
        assert (upstream.written, client.written) == (command, answer)
        assert len(heard) == answer.count(b"attachedToTarget"), cut


async def test_what_went_over_before_the_join_counts() -> None:
    command = frame(COMMAND)
    for cut in range(1, len(command)):
        pair, _, _ = joined()
        pair.carried(up=command[:cut])
        pair.client.data_received(command[cut:])
        waited = [pair.waiting]
        pair.carried(down=ANSWER)
        assert [*waited, pair.waiting] == [True, False], cut


async def test_an_attachment_is_told_at_once_and_answers_are_counted_in_time() -> None:
    pair, _, _ = joined()
    heard: list[bytes] = []
    pair.listen(heard.append)
    for _ in range(3 * GATHERED):
        pair.client.data_received(frame(COMMAND))
        pair.upstream.data_received(ANSWER)
    assert not pair.waiting
    pair.upstream.data_received(EVENT)
    assert len(heard) == 1


async def test_a_command_is_answered_between_two_frames_and_not_behind_an_end() -> None:
    asked = json.dumps({"id": 7, "method": NEEDLE.decode(), "params": {"files": ["/etc/shadow"], "nodeId": 1}}).encode()
    pair, client, upstream = joined()
    pair.take(Commands(NEEDLE, lambda command: b'{"id":7,"error":{}}'))
    pair.upstream.data_received(LARGE[:1000])
    pair.client.data_received(frame(COMMAND) + frame(asked))
    assert len(client.written) == 1000
    pair.upstream.data_received(LARGE[1000:])
    assert client.written == LARGE + text_frame(b'{"id":7,"error":{}}')
    assert len(upstream.written) == len(frame(COMMAND))
    assert pair.fin(pair.upstream)
    pair.client.data_received(frame(asked))
    assert client.written.count(b'"id":7') == 1
    assert pair._timer is not None
    pair._timer.cancel()  # of the rest that does not come
