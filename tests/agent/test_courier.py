"""A courier that is told to stop at the worst moment."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from podium_agent.courier import Courier, DeliveryError, RefusedError
from podium_agent.outbox import Outbox
from podium_protocol.events import EventType
from podium_protocol.sessions import Connections, Destinations
from podium_protocol.state import SavedState
from support.receiver import Receiver, receiving
from support.waiting import eventually

STATE = SavedState(saved_at=datetime(2026, 2, 12, tzinfo=UTC))
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Gateway:
    """Answers when it is told to, in a thread of its own: the test's loop may stand still meanwhile."""

    def __init__(self, path: Path) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.answered = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(30)

    def serve(self) -> None:
        connection, _ = self._listener.accept()
        with self._listener, connection:
            connection.settimeout(30)
            request = b""
            while b'"saved_at"' not in request:
                request += connection.recv(65_536)
            self.asked.set()
            self.may_answer.wait(30)
            connection.sendall(ANSWER)
            self.answered.set()
            while connection.recv(65_536):
                pass


@contextmanager
def gateway(path: Path) -> Iterator[Gateway]:
    serving = Gateway(path)
    thread = threading.Thread(target=serving.serve)
    thread.start()
    try:
        yield serving
    finally:
        serving.may_answer.set()
        thread.join()


async def test_a_report_given_up_as_its_answer_arrives_is_nobodys_error(tmp_path: Path) -> None:
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(repr(context.get("exception"))))
    path = tmp_path / "gateway.sock"
    courier = Courier(
        Destinations(url="http://gateway", token="t", socket=str(path)),
        Outbox(lambda: datetime.now(UTC)),
        connections=Connections,
        url=lambda: None,
    )
    with gateway(path) as there:
        saving = asyncio.create_task(courier.save(STATE))
        assert await asyncio.to_thread(there.asked.wait, 30)
        # The loop stands still until the answer is there: its next round finds the socket readable, and runs this first.
        there.may_answer.set()
        assert there.answered.wait(30)
        loop.call_soon(saving.cancel)
        with pytest.raises(asyncio.CancelledError):
            await saving
        await courier.close()
        await asyncio.sleep(0)
    assert complaints == []


async def test_a_gateway_that_is_not_there_is_a_delivery_that_failed(tmp_path: Path) -> None:
    for to in (
        Destinations(url="http://gateway", token="t", socket=str(tmp_path / "none")),
        Destinations(url="http://127.0.0.1:1", token="t"),
    ):
        courier = Courier(to, Outbox(lambda: datetime.now(UTC)), connections=Connections, url=lambda: None)
        with pytest.raises(DeliveryError):
            await courier.save(STATE)
        descriptor = os.open("/dev/null", os.O_RDONLY)
        with pytest.raises(DeliveryError):
            await courier.publish("a1", descriptor, kind="download", name="a.txt")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        await courier.close()


async def test_neither_a_long_url_nor_an_event_that_the_gateway_does_not_take_stops_the_others(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path / "gateway.sock", largest=100_000)
    outbox = Outbox(lambda: datetime.now(UTC))
    outbox.recording = True
    for text in ("first", "x" * 200_000, "last"):
        outbox.add(EventType.CONSOLE_MESSAGE, {"text": text})
    courier = Courier(
        receiver.destinations, outbox, connections=Connections, url=lambda: "https://site.example/?" + "x" * 2_000_000
    )
    async with receiving(receiver):
        running = asyncio.create_task(courier.run())
        await eventually(lambda: receiver.of("events.dropped", count=1), what="word of what was lost")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await courier.close()
    assert receiver.texts() == ["first", "last"]
    assert receiver.url is not None
    assert len(receiver.url) == 10_000


@pytest.mark.parametrize(
    ("status", "words", "code", "message", "final"),
    [
        (507, {"code": "quota_exceeded", "message": "your artifacts take all"}, "quota_exceeded", "your artifacts take all", True),
        (507, {"code": "insufficient_storage", "message": "nearly full"}, "insufficient_storage", "nearly full", False),
        (413, {"code": "payload_too_large", "message": "at most 10 bytes"}, "payload_too_large", "at most 10 bytes", True),
        (413, {}, "refused", "", True),
        (507, {}, "refused", "", False),
        (507, {"code": "x" * 65}, "refused", "", False),
    ],
)
async def test_an_upload_that_is_refused_says_why_and_whether_for_good(
    tmp_path: Path, status: int, words: dict[str, str], code: str, message: str, final: bool
) -> None:
    receiver = Receiver(tmp_path / "gateway.sock", refuse=status, refusal=words)
    courier = Courier(receiver.destinations, Outbox(lambda: datetime.now(UTC)), connections=Connections, url=lambda: None)
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    async with receiving(receiver):
        with pytest.raises(RefusedError) as refused:
            await courier.publish("a1", os.open(tmp_path / "file", os.O_RDONLY), kind="download", name="a.txt")
        receiver.refuse = None
        await courier.publish("a1", os.open(tmp_path / "file", os.O_RDONLY), kind="download", name="a.txt")
    await courier.close()
    assert (refused.value.code, refused.value.message, refused.value.final) == (code, message, final)
    assert (receiver.lengths, [len(one.content) for one in receiver.artifacts]) == (["100000"] * 2, [100_000])


@pytest.mark.parametrize(("before", "after", "sent"), [(5, 9, [b"x" * 5]), (9, 5, []), (9, 0, [])])
async def test_a_file_that_changes_while_it_is_sent_is_sent_as_long_as_it_was_or_not_at_all(
    tmp_path: Path, before: int, after: int, sent: list[bytes]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * before)
    receiver = Receiver(tmp_path / "gateway.sock")
    courier = Courier(receiver.destinations, Outbox(lambda: datetime.now(UTC)), connections=Connections, url=lambda: None)
    async with receiving(receiver):
        publishing = asyncio.create_task(courier.publish("a1", os.open(path, os.O_RDONLY), kind="download", name="a.txt"))
        await asyncio.sleep(0)  # it has looked how long the file is, and is connecting
        path.write_bytes(b"x" * after)
        if sent:
            await publishing
        else:
            with pytest.raises(DeliveryError, match="shorter"):
                await publishing
        await courier.save(STATE)  # on another connection, if need be
    await courier.close()
    assert [one.content for one in receiver.artifacts] == sent
    assert len(receiver.states) == 1
