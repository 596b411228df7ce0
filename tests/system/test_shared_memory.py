"""Shared memory that is released goes with the process that uses it, however that ends."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from podium_system.shared_memory import release_shared_memory, segments_of

MAKES_ONE = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(0, 4096, 0o600 | 0o1000)
address = libc.shmat(segment, None, 0)
print(segment, flush=True)
sys.stdin.readline()
ctypes.memset(address, 1, 4096)
print("still there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def maker() -> Iterator["subprocess.Popen[str]"]:
    """A process with one segment, attached; it writes into it when it is sent a line."""
    with subprocess.Popen([sys.executable, "-c", MAKES_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        segment = int(process.stdout.readline())
        assert segments_of(process.pid) == [segment]
        yield process
        process.kill()


def test_a_segment_that_nobody_released_outlives_its_maker(maker: "subprocess.Popen[str]") -> None:
    maker.kill()
    maker.wait()
    assert len(segments_of(maker.pid)) == 1
    release_shared_memory(maker.pid)
    assert segments_of(maker.pid) == []


def test_a_released_segment_works_on_and_goes_with_its_maker(maker: "subprocess.Popen[str]") -> None:
    assert maker.stdin is not None
    assert maker.stdout is not None
    release_shared_memory(maker.pid)
    maker.stdin.write("write\n")
    maker.stdin.flush()
    assert maker.stdout.readline() == "still there\n"
    maker.kill()
    maker.wait()
    assert segments_of(maker.pid) == []


def test_a_process_without_segments_is_no_error() -> None:
    release_shared_memory(2**22 + 1)
