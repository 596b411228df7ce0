"""The image that all others begin with: Debian's own or, where no registry can be reached, made of Debian's packages.

A base made here has the same packages and the same defaults, whatever mirror it was made from, and names none: each step of a build
is told of the machine's own while it runs (`image_secrets`).
"""

import os
from pathlib import Path

from image_builders import Builder
from image_secrets import mirror_sources
from progress import StepFailed, run_quietly, say

SUITE = "trixie"
BASE = f"docker.io/library/debian:{SUITE}-slim"
# What the "slim" images leave out, by the same paths.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/groff/*", "/usr/share/info/*", "/usr/share/lintian/*", "/usr/share/locale/*")
_LEFT_OUT_TOO = ("/usr/share/man/*", "/var/cache/man/*")


def provide_base(builder: Builder, folder: Path) -> None:
    """Have `BASE` here. Raises `StepFailed`, with what mmdebstrap said if it came to that."""
    if builder.has(BASE):
        return
    try:
        builder.pull(BASE)
    except StepFailed:
        tar = folder / f"base-{SUITE}.tar"
        if not tar.exists():
            say(f"no registry can be reached: making {BASE} of Debian's packages (a minute)")
            make_root(tar, folder)
        builder.load_root(tar, BASE)


def make_root(tar: Path, folder: Path) -> None:
    """A minimal root file system of Debian, as a tar file. Raises `StepFailed`."""
    unfinished = tar.with_suffix(".part")
    left_out = [f"--dpkgopt=path-exclude={path}" for path in (*_LEFT_OUT, *_LEFT_OUT_TOO)]
    hooks = [
        '--customize-hook=rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/hostname "$1"/etc/resolv.conf',
        # As in Debian's own images: nothing starts while packages are installed, and nothing of apt's stays that can be had again.
        r"""--customize-hook=printf '#!/bin/sh\nexit 101\n' >"$1"/usr/sbin/policy-rc.d; chmod 755 "$1"/usr/sbin/policy-rc.d""",
        '--customize-hook=rm -rf "$1"/var/log/* "$1"/var/cache/debconf/*-old',
    ]
    licenses = "--dpkgopt=path-include=/usr/share/doc/*/copyright"
    options = ["--quiet", "--mode=auto", "--format=tar", "--variant=minbase", *left_out, licenses, *hooks]
    command: list[str | Path] = ["mmdebstrap", *options, SUITE, unfinished]
    mirror = mirror_sources(SUITE)
    if mirror is not None:  # otherwise it asks Debian's own
        (folder / "mirror.list").write_text(mirror)
        command.append(folder / "mirror.list")
    run_quietly(command, env={**os.environ, "LC_ALL": "C.UTF-8"})
    unfinished.rename(tar)
