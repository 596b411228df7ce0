"""The folder that survives a restart: readable by its owner only, and secrets in it are never half written."""

import os
import secrets
from pathlib import Path


def prepare_home(home: Path) -> None:
    """Make the folder, and close it to others: saved cookies, the database and the signing key are in it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)


def write_secret(path: Path, text: str, *, replace: bool) -> None:
    """Write a file of mode 0600, seen whole or not at all. Raises `FileExistsError` where it may not replace one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
