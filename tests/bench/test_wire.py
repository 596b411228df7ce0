"""The client that the bench times with, against a server of another make."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.sync.server import ServerConnection, serve

from bench.wire import Wire, frame_of

BIG = 300_000


def answer(connection: ServerConnection) -> None:
    """Speak a little CDP: an event before each answer, and the answer in two frames when it is asked to be big."""
    for message in connection:
        asked = json.loads(message)
        connection.send('{"method":"Some.event","params":{}}')
        text = json.dumps({"id": asked["id"], "result": {"echo": asked["params"], "size": len(message)}}, separators=(",", ":"))
        if asked["method"] == "Big":
            text = json.dumps({"id": asked["id"], "result": {"text": "b" * BIG}}, separators=(",", ":"))
            connection.send([text[:1000], text[1000:]])
        else:
            connection.send(text)


@contextmanager
def speaking() -> Iterator[str]:
    """A server on loopback; its URL."""
    with serve(answer, "127.0.0.1", 0, compression=None, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/devtools?mode=browser"
        finally:
            server.shutdown()
            thread.join()


def test_commands_are_answered_past_events() -> None:
    with speaking() as url, Wire(url) as wire:
        assert wire.command("One", {"a": 1})["echo"] == {"a": 1}
        assert wire.command("Two")["echo"] == {}


@pytest.mark.parametrize("size", [10, 125, 126, 65_535, 65_536, 4_000_000])
def test_a_frame_of_any_size_arrives(size: int) -> None:
    with speaking() as url, Wire(url) as wire:
        found = wire.command("Text", {"text": "x" * size})
        assert found["size"] > size
        assert wire.exchange(frame_of(7, "Text", {"text": "y" * size})) > size


def test_a_message_in_several_frames_is_one_message() -> None:
    with speaking() as url, Wire(url) as wire:
        assert len(wire.command("Big")["text"]) == BIG
        assert wire.command("After")["echo"] == {}


def test_a_refused_upgrade_says_how_it_was_refused() -> None:
    with speaking() as url, pytest.raises(ConnectionRefusedError, match=r"HTTP/1\.1 400"):
        Wire(url, headers={"sec-websocket-version": "8"})
