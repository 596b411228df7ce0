"""Downloads: into our folder whatever a client asks for, and from there to the gateway as artifacts.

Playwright points `Browser.setDownloadBehavior` at a folder of its own machine when it connects, and whoever set it last wins.
So it is set again after a client attaches, for each context a client makes, and when a document is requested: a download begins
as one, 12 ms before `downloadWillBegin` here. The client's own events still fire.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from podium_agent.cdp import CdpConnection, Params
from podium_agent.courier import Courier, DeliveryError
from podium_agent.folder import SessionFolder
from podium_agent.outbox import Outbox
from podium_agent.targets import Target, Targets
from podium_protocol.events import EventType

__all__ = ["Downloads"]

log = logging.getLogger(__name__)

# Seconds after a client's attachment at which its own choice of folder is replaced: Playwright makes it within 50 ms.
_REASSERT_AFTER: Final = (0.05, 0.2, 0.5, 1.0, 2.0)
UPLOADS: Final = 2
"""Uploads at a time: more would only take turns on one disk."""
TRIES: Final = 4
MOST_FRAMES: Final = 1000
"""Frames whose last document is remembered, in case it becomes a download."""


@dataclass(slots=True)
class _Download:
    url: str
    name: str
    target: str | None
    request: str | None = None
    """The request that became it, where that is known."""


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
        self._finished: asyncio.Queue[str] = asyncio.Queue(maxsize=1000)
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

    def client_attached(self) -> None:
        """A client may set a folder of its own now."""
        loop = asyncio.get_running_loop()
        for delay in _REASSERT_AFTER:
            loop.call_later(delay, self._assert_all)

    async def run(self, courier: Courier) -> None:
        """Publish finished downloads."""
        async with asyncio.TaskGroup() as group:
            for number in range(UPLOADS):
                group.create_task(self._publish_all(courier), name=f"downloads-{number}")

    async def drain(self) -> None:
        """Wait until `run` has published all that has finished; the caller bounds the time."""
        await self._finished.join()

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
            self._documents[frame] = (params["response"]["url"], params["requestId"])

    def _will_begin(self, params: Params, _: str | None) -> None:
        url, request = self._documents.pop(params.get("frameId", ""), ("", ""))
        mine = request if url == params["url"] else None
        download = _Download(params["url"], params["suggestedFilename"], params.get("frameId"), mine)
        self._begun[params["guid"]] = download
        data = {"download": params["guid"], "url": download.url[:10_000], "name": download.name, "frame": download.target}
        data |= {"request_id": mine} if mine else {}
        self._outbox.add(EventType.DOWNLOAD_STARTED, data)

    def _progress(self, params: Params, _: str | None) -> None:
        guid, state = params["guid"], params["state"]
        if state == "inProgress" or guid not in self._begun:
            return
        if state == "completed" and not self._finished.full():
            self._finished.put_nowait(guid)
            return
        self._finish(guid, state="canceled")

    def _finish(self, guid: str, **result: object) -> None:
        download = self._begun.pop(guid, None)
        if download is not None:
            data = {"download": guid, "name": download.name, "url": download.url[:10_000], **result}
            data |= {"request_id": download.request} if download.request else {}
            blob = guid if result.get("state") == "completed" else None
            self._outbox.add(EventType.DOWNLOAD_FINISHED, data, blob=blob)

    async def _publish_all(self, courier: Courier) -> None:
        while True:
            guid = await self._finished.get()
            try:
                await self._publish(courier, guid)
            finally:
                self._finished.task_done()

    async def _publish(self, courier: Courier, guid: str) -> None:
        for tried in range(TRIES):
            try:
                descriptor = self._open(guid)
                size = os.fstat(descriptor).st_size
                await courier.publish(guid, descriptor, kind="download", name=self._begun[guid].name)
            except OSError as error:
                # Playwright's folder won after all: the bytes are where that client asked for them, or nowhere.
                log.warning("download_not_found", extra={"download": guid, "error": str(error)})
                self._finish(guid, state="lost")
                return
            except DeliveryError as error:
                log.warning("download_not_delivered", extra={"download": guid, "error": str(error), "tried": tried + 1})
                await asyncio.sleep(0.5 * 2**tried)
            else:
                self._finish(guid, state="completed", size=size)
                (self._folder.downloads / guid).unlink(missing_ok=True)
                return
        self._finish(guid, state="undelivered")

    def _open(self, guid: str) -> int:
        # The folder is the browser's: what lies there under a download's name may be a link to a file of root's.
        descriptor = os.open(self._folder.downloads / os.path.basename(guid), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or (self._folder.uid is not None and about.st_uid != self._folder.uid):
            os.close(descriptor)
            raise OSError("not a file of the browser's")
        return descriptor
