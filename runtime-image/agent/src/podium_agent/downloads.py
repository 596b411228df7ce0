"""Downloads: each that completes goes to the gateway as an artifact, from wherever the browser put it.

Whoever set `Browser.setDownloadBehavior` last wins, and clients may do so at any time, Playwright with a folder of its own machine
whenever it connects or makes a context. Chromium says where a file was completed (`filePath`), and there it is read. Into a folder
that its user may not write to it would write nothing, so ours is set again after all that a client sends, and when a document is
requested: a download may begin as one, 12 ms before `downloadWillBegin` here. The client's own events fire all the same.
"""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.console import recorded_url
from podium_agent.courier import Courier, DeliveryError, RefusedError
from podium_agent.files import open_regular
from podium_agent.folder import SessionFolder
from podium_agent.outbox import Outbox
from podium_agent.targets import Target, Targets
from podium_protocol.events import EventType

__all__ = ["Downloads"]

log = logging.getLogger(__name__)

LOOK: Final = 0.05
"""Seconds between looks at whether clients have sent something; one is a sum of a few numbers."""
_GUID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
UPLOADS: Final = 2
"""Uploads at a time: more would only take turns on one disk."""
TRIES: Final = 4
PAUSE: Final = 0.5
"""Seconds behind the first try; each of the next pauses is twice as long."""
MOST_FRAMES: Final = 1000
"""Frames whose last document is remembered, in case it becomes a download."""


@dataclass(slots=True)
class _Download:
    guid: str
    url: str
    """As it is recorded."""
    name: str
    target: str | None
    request: str | None = None
    """The request that became it, where that is known."""
    file: int | None = None
    """Its bytes, held open where another download may take its name."""
    completed: bool = False
    """It waits to be published, or is being so."""


class Downloads:
    """Owns the download folder; `run` publishes what is finished until cancelled."""

    def __init__(
        self,
        connection: CdpConnection,
        targets: Targets,
        outbox: Outbox,
        *,
        folder: SessionFolder,
        attended: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._targets = targets
        self._outbox = outbox
        self._folder = folder
        self._attended = attended
        self._begun: dict[str, _Download] = {}
        self.progress = 0
        """Counts every word of a download."""
        self._finished: asyncio.Queue[_Download] = asyncio.Queue(maxsize=1000)
        connection.on("Browser.downloadWillBegin", self._will_begin)
        connection.on("Browser.downloadProgress", self._progress)
        connection.on("Network.requestWillBeSent", self._requested)
        connection.on("Network.responseReceived", self._answered)
        self._documents: dict[str, tuple[str, str]] = {}
        """Of each frame the last document that was answered: its URL and request."""
        targets.opened.append(self._opened)

    def assert_folder(self, context: str | None = None) -> None:
        """Point a browser context's downloads (the default one's without an id) at our folder."""
        params: Params = {"behavior": "allowAndName", "downloadPath": str(self._folder.downloads), "eventsEnabled": True}
        if context is not None and context != self._targets.default_context:
            params["browserContextId"] = context
        self._connection.post("Browser.setDownloadBehavior", params)

    @property
    def under_way(self) -> int:
        """Downloads that have begun and are not artifacts yet."""
        return len(self._begun)

    def client_left(self) -> None:
        """Chromium goes back to its own default for what that client had set."""
        self._assert_all()

    async def run(self, courier: Courier, traffic: Callable[[], int]) -> None:
        """Publish finished downloads, and keep our folder the one they go to; `traffic` counts what clients send and get."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_asserted(traffic), name="downloads-folder")
            for number in range(UPLOADS):
                group.create_task(self._publish_all(courier), name=f"downloads-{number}")

    async def drain(self) -> None:
        """Wait until `run` has published all that has finished; the caller bounds the time."""
        await self._finished.join()

    async def _stay_asserted(self, traffic: Callable[[], int]) -> None:
        seen = traffic()
        while True:
            await asyncio.sleep(LOOK)
            if (now := traffic()) != seen:
                seen = now
                self._assert_all()

    def _assert_all(self) -> None:
        for context in {target.context for target in self._targets.pages}:
            self.assert_folder(context)

    def _opened(self, target: Target) -> None:
        if target.type == "page" and not self._targets.in_default_context(target):
            self.assert_folder(target.context)

    def _requested(self, params: Params, session: str | None) -> None:
        if params.get("type") == "Document" and self._attended():
            target = self._targets.of_session(session)
            self.assert_folder(target.context if target is not None else None)

    def _answered(self, params: Params, _: str | None) -> None:
        if params.get("type") == "Document" and (frame := params.get("frameId")) is not None:
            if len(self._documents) > MOST_FRAMES:
                self._documents.clear()
            self._documents[frame] = (recorded_url(params["response"]["url"]), params["requestId"])

    def _will_begin(self, params: Params, _: str | None) -> None:
        if _GUID.fullmatch(params["guid"]) is None:  # it names an artifact, and a file in our folder
            return
        url = recorded_url(params["url"])
        document, request = self._documents.pop(params.get("frameId", ""), ("", ""))
        mine = request if url == document else None
        download = _Download(params["guid"], url, params["suggestedFilename"], params.get("frameId"), mine)
        self._begun[download.guid] = download
        data = {"download": download.guid, "url": url, "name": download.name, "frame": download.target}
        data |= {"request_id": mine} if mine else {}
        self._outbox.add(EventType.DOWNLOAD_STARTED, data)

    def _progress(self, params: Params, _: str | None) -> None:
        download, state = self._begun.get(params["guid"]), params["state"]
        self.progress += 1
        if state == "inProgress" or download is None or download.completed:  # the word that came first counts
            return
        if state != "completed":
            self._finish(download, state="canceled")
        elif self._finished.full():
            self._finish(download, state="undelivered")
        else:
            self._completed(download, params.get("filePath"))

    def _completed(self, download: _Download, path: str | None) -> None:
        if path and PurePosixPath(path) != PurePosixPath(self._folder.downloads / download.guid):
            # Where a client wanted it. The next download may replace it under that name.
            try:
                download.file = open_regular(PurePosixPath(path), owner=self._folder.uid)
            except OSError as error:
                self._lost(download, error)
                return
        download.completed = True
        self._finished.put_nowait(download)

    def _lost(self, download: _Download, error: OSError) -> None:
        log.warning("download_not_found", extra={"download": download.guid, "error": error.strerror or type(error).__name__})
        self._finish(download, state="lost")

    def _finish(self, download: _Download, **result: object) -> None:
        self._begun.pop(download.guid, None)
        if download.file is not None:
            os.close(download.file)
        data = {"download": download.guid, "name": download.name, "url": download.url, **result}
        data |= {"request_id": download.request} if download.request else {}
        blob = download.guid if result.get("state") == "completed" else None
        self._outbox.add(EventType.DOWNLOAD_FINISHED, data, blob=blob)

    async def _publish_all(self, courier: Courier) -> None:
        while True:
            download = await self._finished.get()
            try:
                await self._publish(courier, download)
            finally:
                self._finished.task_done()

    async def _publish(self, courier: Courier, download: _Download) -> None:
        for tried in range(TRIES):
            try:
                descriptor = self._open(download)
                size = os.fstat(descriptor).st_size
                await courier.publish(download.guid, descriptor, kind="download", name=download.name)
            except OSError as error:
                self._lost(download, error)
                return
            except DeliveryError as error:
                log.warning("download_not_delivered", extra={"download": download.guid, "error": str(error), "tried": tried + 1})
                if isinstance(error, RefusedError) and (error.final or tried + 1 == TRIES):
                    self._remove(download)
                    self._finish(download, state="refused", size=size, reason=error.code, message=error.message)
                    return
                await asyncio.sleep(PAUSE * 2**tried)
            else:
                self._remove(download)
                self._finish(download, state="completed", size=size)
                return
        self._finish(download, state="undelivered")

    def _open(self, download: _Download) -> int:
        if download.file is None:
            return open_regular(download.guid, owner=self._folder.uid, folder=self._folder.downloads_descriptor)
        descriptor = os.dup(download.file)  # one more for each attempt, which closes it
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _remove(self, download: _Download) -> None:
        # In the very folder that was made, whose owner may have put a link under its name. A client's folder keeps its file.
        if download.file is None:
            with contextlib.suppress(OSError):
                os.unlink(download.guid, dir_fd=self._folder.downloads_descriptor)
