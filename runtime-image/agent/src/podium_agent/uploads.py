"""Files that a client gives to a page by their path: the browser looks for them on its own machine, as its own user.

What it may not read there it takes for an empty file, or for no folder at all, and says nothing; a client may wait for an event
that never comes. So who asks is told.
"""

import json
import os
import stat
from pathlib import PurePosixPath
from typing import Final

__all__ = ["UPLOAD", "unseen_files"]

UPLOAD: Final = b"DOM.setFileInputFiles"
_SERVER_ERROR: Final = -32000
_SHOWN: Final = 3
_LONGEST: Final = 300


def unseen_files(command: bytes, *, uid: int | None) -> bytes | None:
    """The error for a command that names a path which the browser's user cannot read; none for any other command."""
    try:
        asked = json.loads(command)
        files = asked["params"]["files"]
        if asked["method"] != UPLOAD.decode() or not isinstance(asked["id"], int):
            return None
        unseen = [path for path in files if not _readable(path, os.geteuid() if uid is None else uid)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # Chromium says what is wrong with it
    if not unseen:
        return None
    named = ", ".join(path[:_LONGEST] for path in unseen[:_SHOWN])
    more = f" and {len(unseen) - _SHOWN} more" if len(unseen) > _SHOWN else ""
    message = (
        f"the browser cannot read {named}{more}: it runs on another machine or as another user than you do."
        " Give the bytes instead of a path; in a page, a DataTransfer does it"
    )
    error = {"id": asked["id"], "error": {"code": _SERVER_ERROR, "message": message}}
    return json.dumps(error | ({"sessionId": asked["sessionId"]} if "sessionId" in asked else {})).encode()


def _readable(path: str, uid: int) -> bool:
    """Whether a user may read a file or list a folder. Root may all."""
    if not path.startswith("/"):
        return False
    try:
        found = os.stat(path)
        return uid == 0 or (
            _allows(found, uid, stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(found.st_mode) else 0))
            and all(_allows(os.stat(parent), uid, stat.S_IXOTH) for parent in PurePosixPath(path).parents)
        )
    except (OSError, ValueError):  # not there, or no name of a file
        return False


def _allows(found: os.stat_result, uid: int, needed: int) -> bool:
    # A browser's group is its own alone, so a group's rights are not looked at.
    mode = found.st_mode >> 6 if found.st_uid == uid else found.st_mode
    return mode & needed == needed
