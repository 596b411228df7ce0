"""The two programs that build images here: docker where its daemon answers, buildah where it does not."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from debian_packages import FOR_IMAGES, provide
from progress import ROOT, StepFailed, fail, run_quietly

LABEL = "dev.podium.image"
"""What the Dockerfiles mark their images with."""
STEPS_KEPT = 8
"""The first stages of four images, and of the build before."""
TASKS = 32768
"""Processes that every buildah lets a build step have."""
Secrets = Mapping[str, Path]
"""Files that a build may read and no image keeps, by id."""


class Builder(Protocol):
    """What `make images` asks of such a program. Everything but `has` raises `StepFailed` with what was said."""

    name: str

    def has(self, image: str) -> bool:
        """Whether there is such an image here already."""

    def pull(self, image: str) -> None:
        """Get it from its registry."""

    def load_root(self, tar: Path, image: str) -> None:
        """Make an image of one layer from a root file system."""

    def build(self, dockerfile: Path, *, target: str, tag: str, secrets: Secrets) -> None:
        """Build one target, with the checkout as context, from images that are here."""

    def save(self, image: str, archive: Path) -> None:
        """Write an archive as `docker save` makes it."""

    def forget_old(self) -> None:
        """Remove what earlier builds of this project have left and nothing refers to any more, but the last few."""


class Docker:
    """Docker with BuildKit."""

    name = "docker"

    def has(self, image: str) -> bool:
        """Whether there is such an image here already."""
        return _succeeds(["docker", "image", "inspect", image])

    def pull(self, image: str) -> None:
        """Get it from its registry."""
        run_quietly(["docker", "pull", "--quiet", image])

    def load_root(self, tar: Path, image: str) -> None:
        """Make an image of one layer from a root file system."""
        run_quietly(["docker", "import", "--change", 'CMD ["bash"]', tar, image])

    def build(self, dockerfile: Path, *, target: str, tag: str, secrets: Secrets) -> None:
        """Build one target. Proxies are arguments that BuildKit keeps out of images."""
        proxies = [f"--build-arg={name}" for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "no_proxy")]
        options = ["--network=host", *proxies, *_given(secrets), f"--file={dockerfile}", f"--target={target}", f"--tag={tag}"]
        run_quietly(["docker", "build", *options, ROOT], env={**os.environ, "DOCKER_BUILDKIT": "1"})

    def save(self, image: str, archive: Path) -> None:
        """Write an archive."""
        run_quietly(["docker", "save", "--output", archive, image])

    def forget_old(self) -> None:
        """Untagged images; BuildKit bounds its own store of steps."""
        run_quietly(["docker", "image", "prune", "--force", f"--filter=label={LABEL}"])


class Buildah:
    """Buildah, which needs no daemon; with `chroot` isolation it needs no network or cgroup of its own either."""

    name = "buildah"

    def has(self, image: str) -> bool:
        """Whether there is such an image here already."""
        return _succeeds(["buildah", "inspect", "--type=image", image])

    def pull(self, image: str) -> None:
        """Get it from its registry."""
        self._run("pull", "--quiet", image)

    def load_root(self, tar: Path, image: str) -> None:
        """Make an image of one layer from a root file system."""
        with self._container() as container:
            self._run("add", "--quiet", container, tar, "/")
            self._run("config", "--cmd", "bash", container)
            self._run("commit", "--quiet", container, image)

    def build(self, dockerfile: Path, *, target: str, tag: str, secrets: Secrets) -> None:
        """Build one target; steps whose inputs have not changed are taken from the last build."""
        where = [f"--file={dockerfile}", f"--target={target}", f"--tag={tag}"]
        how = ("--layers", "--force-rm", "--pull-never", "--network=host", *_limits())
        self._run("build", *how, *_given(secrets), *where, str(ROOT))

    def save(self, image: str, archive: Path) -> None:
        """Write an archive."""
        self._run("push", "--quiet", image, f"docker-archive:{archive}:{image}")

    def forget_old(self) -> None:
        """Untagged images; the newest of them are the steps that the next build takes up from."""
        command = ["buildah", "images", "--json", "--filter=dangling=true", f"--filter=label={LABEL}"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        old = sorted(json.loads(listed or "null") or [], key=lambda one: str(one["createdatraw"]), reverse=True)[STEPS_KEPT:]
        for image in old:
            _succeeds(["buildah", "rmi", image["id"]])  # one that something else still needs stays

    def _run(self, *arguments: str | Path) -> None:
        run_quietly(["buildah", *arguments], env={**os.environ, "BUILDAH_ISOLATION": "chroot"})

    @contextmanager
    def _container(self) -> Iterator[str]:
        made = subprocess.run(["buildah", "from", "scratch"], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise StepFailed(made.stderr)
        try:
            yield made.stdout.strip()
        finally:
            self._run("rm", made.stdout.strip())


def find_builder() -> Builder:
    """The one this machine has. Raises `SystemExit` with what to install."""
    if shutil.which("docker") is not None and _succeeds(["docker", "version", "--format", "{{.Server.Version}}"]):
        return Docker()
    if provide(FOR_IMAGES):
        raise fail("images need a running Docker, or these; install them with the line above")
    return Buildah()


def _limits() -> list[str]:
    """Those of this process, as far as each buildah can set them for a root in a sandbox, who may lower limits and not raise one.

    Left to itself, a newer one (1.39) asks for a million files and processes; an older one (1.28) has its own at 32768.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    tasks = [min(limit, TASKS) if limit != resource.RLIM_INFINITY else TASKS for limit in resource.getrlimit(resource.RLIMIT_NPROC)]
    return [f"--ulimit=nofile={files[0]}:{files[1]}", f"--ulimit=nproc={tasks[0]}:{tasks[1]}"]


def _given(secrets: Secrets) -> list[str]:
    return [f"--secret=id={name},src={path}" for name, path in secrets.items()]


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
