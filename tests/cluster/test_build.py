"""What is decided before anything is built, and the files that are made by hand."""

import re
import tarfile
from pathlib import Path

import pytest

from cluster.archives import images_in, write_archive
from cluster.build import ALL, ETCD, HELM, KUBE, MODULES, TRAEFIK, Group, digest, linker_flags, version_of
from cluster.progress import ClusterFailed
from cluster.runtime import qualified
from cluster.toolchain import platform_of, release_of


def test_every_group_has_its_lock_files_and_no_lock_file_is_without_a_group() -> None:
    assert {group.name for group in ALL} == {folder.name for folder in MODULES.iterdir()}
    for group in ALL:
        assert (MODULES / group.name / "go.mod").exists()


def test_no_lock_file_names_where_modules_come_from() -> None:
    for path in MODULES.glob("*/go.*"):
        assert re.search(r"https?://", path.read_text()) is None


def test_programs_are_stamped_with_the_version_that_is_locked() -> None:
    flags = linker_flags(KUBE, "require (\n\tk8s.io/kubernetes v1.34.4 // indirect\n)\n")
    assert "-X k8s.io/component-base/version.gitVersion=v1.34.4" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=34" in flags
    assert linker_flags(TRAEFIK, "\tgithub.com/traefik/traefik/v3 v3.5.3 // indirect\n").endswith("version.Version=3.5.3")
    assert linker_flags(ETCD, "") == "-s -w"


def test_a_group_whose_module_is_not_required_is_refused() -> None:
    with pytest.raises(ClusterFailed, match=r"helm\.sh/helm/v3"):
        version_of(HELM, "module x\n")


def test_another_lock_file_is_another_folder(tmp_path: Path) -> None:
    group = Group("x", ("x",))
    (tmp_path / "go.mod").write_text("module x\n")
    before = digest(group, tmp_path)
    assert digest(group, tmp_path) == before
    (tmp_path / "go.sum").write_text("")
    assert digest(group, tmp_path) != before


@pytest.mark.parametrize(
    ("said", "release", "platform"),
    [
        ("go version go1.19.8 linux/amd64", (1, 19, 8), "linux-amd64"),
        ("go version go1.26 linux/arm64\n", (1, 26), "linux-arm64"),
        ("go version go1.26rc1 linux/amd64", (1, 26), "linux-amd64"),
    ],
)
def test_what_go_says_of_itself(said: str, release: tuple[int, ...], platform: str) -> None:
    assert release_of(said) == release
    assert platform_of(said) == platform


def test_an_archive_made_by_hand_is_the_same_each_time_and_names_its_image(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"#!")
    contents = []
    for name in ("a.tar", "b.tar"):
        write_archive(tmp_path / name, image="podium.test/pause:1", program=program, architecture="amd64")
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    [(image, configuration)] = images_in(tmp_path / "a.tar").items()
    assert image == "podium.test/pause:1"
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert set(archive.getnames()) == {"manifest.json", "layer.tar", configuration}


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("podium/gateway:0.1.0", "docker.io/podium/gateway:0.1.0"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("podium.test/pause:1", "podium.test/pause:1"),
        ("localhost/x:1", "localhost/x:1"),
    ],
)
def test_short_image_names_are_completed_as_runtimes_do(short: str, long: str) -> None:
    assert qualified(short) == long
