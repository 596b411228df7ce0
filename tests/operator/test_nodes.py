"""The seccomp profile's installer on one node, and what runs before an installation is taken away."""

from collections.abc import Callable
from pathlib import Path

import pytest

from podium_crds import names
from podium_operator.nodes import __main__ as command
from podium_operator.nodes.api_server import ApiRefused
from podium_operator.nodes.installer import CHECK, RELABEL, RETRY, TRIES_AT_END, keep
from podium_operator.nodes.profile import Profile
from podium_operator.nodes.uninstall import remove


class Node:
    """A node that writes down what became of it, and the profile's presence then."""

    def __init__(self, profile: Profile, *, refusals: int = 0) -> None:
        self.profile = profile
        self.refusals = refusals
        self.heard: list[tuple[str, bool]] = []

    def label(self) -> None:
        self._hear("label")

    def unlabel(self) -> None:
        self._hear("unlabel")

    def _hear(self, what: str) -> None:
        self.heard.append((what, self.profile.path.exists()))
        if self.refusals:
            self.refusals -= 1
            raise ApiRefused(403, "no")


class Stop:
    """Does one thing at each wait, and is set after the last."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)
        self.waits: list[float] = []

    def is_set(self) -> bool:
        return len(self.waits) > len(self.steps)

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        if not self.is_set():
            self.steps[len(self.waits) - 1]()
        return self.is_set()


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    source = tmp_path / "source.json"
    source.write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
    (tmp_path / "seccomp").mkdir()
    return Profile(source, tmp_path / "seccomp", "podium/chromium.json")


def test_the_names_are_those_of_the_kinds() -> None:
    assert (command.LABEL, command.LABEL_VALUE, command.PROFILE) == (
        names.LABEL_SECCOMP,
        names.SECCOMP_VERSION,
        names.SECCOMP_PROFILE,
    )


def test_a_profile_is_written_once_and_readable_by_all(profile: Profile) -> None:
    assert profile.put()
    assert profile.path.read_bytes() == profile.source.read_bytes()
    assert profile.path.stat().st_mode & 0o777 == 0o644
    assert not profile.put()
    assert [path.name for path in profile.path.parent.iterdir()] == ["chromium.json"]


def test_removing_leaves_the_kubelets_folder_as_it_was(profile: Profile) -> None:
    (profile.folder / "other.json").write_text("{}")
    profile.put()
    profile.remove()
    profile.remove()
    assert [path.name for path in profile.folder.iterdir()] == ["other.json"]


def test_what_somebody_else_put_beside_the_profile_stays(profile: Profile) -> None:
    profile.put()
    (profile.path.parent / "theirs.json").write_text("{}")
    profile.remove()
    assert [path.name for path in profile.path.parent.iterdir()] == ["theirs.json"]


def test_the_label_comes_after_the_profile_and_goes_before_it(profile: Profile, tmp_path: Path) -> None:
    node, ready = Node(profile), tmp_path / "ready"
    seen: list[bool] = []
    keep(profile, node, ready=ready, stop=Stop(lambda: seen.append(ready.exists())))
    assert node.heard == [("label", True), ("unlabel", True)]
    assert seen == [True]
    assert not ready.exists()
    assert not profile.path.exists()


def test_a_profile_that_was_changed_or_removed_is_put_back(profile: Profile, tmp_path: Path) -> None:
    node = Node(profile)
    found: list[str] = []

    def look() -> None:
        found.append(profile.path.read_text())
        profile.path.unlink()

    stop = Stop(lambda: profile.path.write_text("{}"), look, look)
    keep(profile, node, ready=tmp_path / "ready", stop=stop)
    assert found == [profile.source.read_text()] * 2
    assert stop.waits == [CHECK] * 4


def test_the_label_is_said_again_now_and_then(profile: Profile, tmp_path: Path) -> None:
    node = Node(profile)
    keep(profile, node, ready=tmp_path / "ready", stop=Stop(*[lambda: None] * RELABEL))
    assert [what for what, _ in node.heard] == ["label", "label", "unlabel"]


def test_a_refused_label_is_tried_again_soon_and_nobody_is_told_ready(profile: Profile, tmp_path: Path) -> None:
    node, ready, seen = Node(profile, refusals=1), tmp_path / "ready", []
    stop = Stop(lambda: seen.append(ready.exists()), lambda: seen.append(ready.exists()))
    keep(profile, node, ready=ready, stop=stop)
    assert stop.waits == [RETRY, CHECK, CHECK]
    assert seen == [False, True]


def test_a_node_that_cannot_take_the_profile_loses_its_label(profile: Profile, tmp_path: Path) -> None:
    profile.path.parent.write_text("a file where the folder should be")
    node = Node(profile)
    with pytest.raises(OSError, match="Not a directory"):
        keep(profile, node, ready=tmp_path / "ready", stop=Stop())
    assert node.heard == [("unlabel", False)]


def test_unlabelling_is_given_up_after_some_tries_and_the_profile_goes_all_the_same(profile: Profile, tmp_path: Path) -> None:
    node = Node(profile, refusals=99)
    pauses: list[float] = []
    keep(profile, node, ready=tmp_path / "ready", stop=Stop(), sleep=pauses.append)
    assert pauses == [RETRY] * TRIES_AT_END
    assert not profile.path.exists()


class Cluster:
    """A cluster whose browser pods and DaemonSet go after some looks each."""

    def __init__(self, looks: int, *, pods: int = 0) -> None:
        self.looks = looks
        self.pods = pods
        self.deleted: list[tuple[str, object]] = []

    def delete(self, path: str, options: object = None) -> None:
        self.deleted.append((path, options))

    def exists(self, path: str) -> bool:
        assert path == self.deleted[-1][0]
        self.looks -= 1
        return self.looks >= 0

    def any(self, path: str) -> bool:
        assert path == "/api/v1/namespaces/podium-sessions/pods?labelSelector=podium.dev/session&limit=1"
        assert self.deleted == [(SESSIONS, None)]
        self.pods -= 1
        return self.pods >= 0


DAEMON_SET = "/apis/apps/v1/namespaces/podium-node/daemonsets/podium-seccomp-installer"
SESSIONS = "/apis/podium.dev/v1alpha1/namespaces/podium-sessions/browsersessions"


def test_uninstalling_ends_the_sessions_and_waits_for_the_installers() -> None:
    cluster = Cluster(looks=3)
    pauses: list[float] = []
    remove(cluster, sessions="podium-sessions", installer=("podium-node", "podium-seccomp-installer"), sleep=pauses.append)
    assert cluster.deleted == [(SESSIONS, None), (DAEMON_SET, {"propagationPolicy": "Foreground"})]
    assert len(pauses) == 3


def test_uninstalling_lets_sessions_save_before_anything_else_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    pauses: list[float] = []
    remove(Cluster(looks=0, pods=4), sessions="podium-sessions", installer=None, sleep=pauses.append)
    assert len(pauses) == 4
    assert caplog.messages == ["sessions_ended"]


def test_uninstalling_does_not_wait_for_ever_for_sessions(caplog: pytest.LogCaptureFixture) -> None:
    remove(Cluster(looks=0, pods=10_000), sessions="podium-sessions", installer=("podium-node", "x"), sleep=lambda _: None)
    assert caplog.messages == ["sessions_still_there"]


def test_uninstalling_does_not_wait_for_ever_for_a_node_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    remove(
        Cluster(looks=10_000),
        sessions="podium-sessions",
        installer=("podium-node", "podium-seccomp-installer"),
        sleep=lambda _: None,
    )
    assert "installers_still_there" in caplog.messages


def test_uninstalling_without_an_installer_only_ends_the_sessions() -> None:
    cluster = Cluster(looks=0)
    remove(cluster, sessions="podium-sessions", installer=None)
    assert cluster.deleted == [(SESSIONS, None)]
