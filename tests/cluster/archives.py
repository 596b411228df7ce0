"""An image archive made by hand: one file in one layer, which is all that the pause image is.

The format is the one `docker save` writes and every container runtime imports: a tar of a layer, a configuration and a manifest.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path


def write_archive(archive: Path, *, image: str, program: Path, architecture: str) -> None:
    """An image whose only content is `program`, run as its entry point by the user 65535."""
    layer = _tar({program.name: (program.read_bytes(), 0o755)})
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    written = json.dumps(config).encode()
    # Named with its hash, as runtimes do: that hash is the image's identity.
    name = f"{hashlib.sha256(written).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [image], "Layers": ["layer.tar"]}]
    content = {
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
        name: (written, 0o644),
        "layer.tar": (layer, 0o644),
    }
    archive.parent.mkdir(parents=True, exist_ok=True)
    fresh = archive.with_suffix(".new")
    fresh.write_bytes(_tar(content))
    fresh.replace(archive)


def images_in(archive: Path) -> dict[str, str]:
    """The image names an archive brings, each with the file of its configuration, which is named for the image's identity."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("manifest.json")
        assert member is not None, f"{archive} has no manifest.json"
        return {name: image["Config"] for image in json.load(member) for name in image["RepoTags"] or []}


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar without times or owners, so that the same content has the same hash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
