"""Acts as an agent towards the local provisioner: a process with the same command line, exit codes and manners, and no browser.

How it behaves comes in its environment, as FAKE: `ok`, `never-ready`, `fails` (exit 21 with a note), `deaf` (ignores /end and
SIGTERM), `leaves` (leaves a child and its folder behind when it is killed).
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def _answer(connection: socket.socket, manner: str, folder: Path) -> None:
    with connection:
        connection.settimeout(2)
        request = b""
        while b"\r\n\r\n" not in request:
            chunk = connection.recv(65536)
            if not chunk:
                return
            request += chunk
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
    if request.startswith(b"POST /end") and manner != "deaf":
        _leave(folder, 0)


def _leave(folder: Path, code: int) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink()
    folder.rmdir()
    os._exit(code)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--wait", action="store_true")
    given, _ = parser.parse_known_args()
    manner = os.environ["FAKE"]
    if given.wait and not os.read(0, 6):
        return
    if manner == "fails":
        note = given.folder.with_name(given.folder.name + ".end.json")
        note.write_text(json.dumps({"reason": "BrowserCrashed", "message": "no Chromium here"}))
        sys.exit(21)
    given.folder.mkdir(mode=0o700)
    if manner == "leaves":
        subprocess.Popen(["sleep", "1000"], start_new_session=True, env={"HOME": str(given.folder)})
    signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "deaf" else lambda *_: _leave(given.folder, 13))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(given.listen.removeprefix("unix:"))
    listener.listen()
    if manner != "never-ready":
        os.write(given.ready_fd, b"ready\n")
        os.close(given.ready_fd)
    while True:
        connection, _ = listener.accept()
        try:
            _answer(connection, manner, given.folder)
        except OSError:
            continue


main()
