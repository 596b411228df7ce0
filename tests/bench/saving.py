"""What is kept of a session: how long it is saved at its end, and how long until its page is back."""

import statistics
import time
from collections.abc import Mapping
from typing import Final

from bench.podium import Podium
from bench.rows import Measured
from bench.site import KEPT, STORED

__all__ = ["saving"]

HOSTS: Final = ("127.0.0.1", "localhost", "shop.localhost")
"""Three origins of the one site."""
SETTLE: Final = 0.7
"""Seconds of rest before each measurement, for what the one before has left to do."""
LIMIT: Final = 30.0
SAVED: Final = "saved"
EPHEMERAL: Final = "ephemeral"
EMPTY: Final = "empty"
WARM: Final = "warm"
COLD: Final = "cold"


def saving(warm: Podium, cold: Podium, site: int, *, rounds: int) -> dict[str, Measured]:
    """One end of each kind, one create and one resume of each kind in turn; figures are medians over rounds.

    What is stored changes right before an end, so there is something to save; what was resumed is looked at.
    """
    kept = {WARM: warm, COLD: cold}
    ends: dict[str, list[float]] = {kind: [] for kind in (SAVED, EPHEMERAL, EMPTY)}
    creates: dict[str, list[float]] = {kind: [] for kind in kept}
    resumes: dict[str, list[float]] = {kind: [] for kind in kept}
    _end(cold, _filled(cold, site, "kept"))
    for turn in range(rounds):
        for kind in _turned(list(ends), turn):
            _rest(warm, WARM)
            session = (
                _opened(warm, {}) if kind == EMPTY else _filled(warm, site, f"kept-{turn}-{kind}", ephemeral=kind == EPHEMERAL)
            )
            ends[kind].append(_end(warm, session))
        for kind in _turned(list(kept), turn):
            podium = kept[kind]
            _rest(podium, kind)
            creates[kind].append(_created(podium))
            _rest(podium, kind)
            resumes[kind].append(_resumed(podium, f"kept-{turn}-{SAVED}" if kind == WARM else "kept"))
    return {"save": _save(ends, rounds), "resume": _resume(creates, resumes, rounds)}


def _save(ends: Mapping[str, list[float]], rounds: int) -> Measured:
    added = statistics.median(this - that for this, that in zip(ends[SAVED], ends[EPHEMERAL], strict=True))
    middle = {kind: statistics.median(values) for kind, values in ends.items()}
    return Measured(
        added,
        f"whole end {middle[SAVED]:.2f} s (slowest {max(ends[SAVED]):.2f}), of the same pages unsaved {middle[EPHEMERAL]:.2f} s,"
        f" of an empty session {middle[EMPTY]:.2f} s; {len(HOSTS) * STORED / 1e6:.2f} MB, {rounds} of each",
    )


def _resume(creates: Mapping[str, list[float]], resumes: Mapping[str, list[float]], rounds: int) -> Measured:
    added, said = [], []
    for kind, resumed in resumes.items():
        added.append(statistics.median(this - that for this, that in zip(resumed, creates[kind], strict=True)))
        said.append(f"{kind} {statistics.median(resumed):.2f} s after a create of {statistics.median(creates[kind]):.2f} s")
    return Measured(max(added), f"{', '.join(said)}; the larger difference counts, {rounds} of each")


def _turned(kinds: list[str], turn: int) -> list[str]:
    return kinds[turn % len(kinds) :] + kinds[: turn % len(kinds)]


def _rest(podium: Podium, kind: str) -> None:
    podium.wait_rest(warm=1 if kind == WARM else 0)
    time.sleep(SETTLE)


def _opened(podium: Podium, wish: Mapping[str, object]) -> str:
    """A session whose browser is there."""
    answer = podium.http.post("/api/sessions", json=dict(wish))
    answer.raise_for_status()
    session: str = answer.json()["session_id"]
    podium.http.post(f"/api/sessions/{session}/ping").raise_for_status()
    return session


def _filled(podium: Podium, site: int, session: str, *, ephemeral: bool = False) -> str:
    """A session that has been at all origins, and whose page has just stored something new."""
    _opened(podium, {"session_id": session, "ephemeral": ephemeral})
    for host in HOSTS:
        podium.http.post(f"/api/sessions/{session}/navigate", json={"url": f"http://{host}:{site}/kept"}).raise_for_status()
    time.sleep(SETTLE)
    podium.http.post(f"/api/sessions/{session}/action", json={"kind": "click", "selector": "button"}).raise_for_status()
    return session


def _end(podium: Podium, session: str) -> float:
    began = time.perf_counter()
    podium.http.delete(f"/api/sessions/{session}").raise_for_status()
    return time.perf_counter() - began


def _created(podium: Podium) -> float:
    """Seconds to the first CDP answer, as the rows of starts count them."""
    began = time.perf_counter()
    session = podium.create()
    with podium.connect(session) as wire:
        wire.command("Browser.getVersion")
        took = time.perf_counter() - began
    _end(podium, session)
    return took


def _resumed(podium: Podium, session: str) -> float:
    """Seconds until the page says what was stored last."""
    began = time.perf_counter()
    podium.http.post("/api/sessions", json={"session_id": session}).raise_for_status()
    while KEPT not in (said := podium.http.get(f"/api/sessions/{session}/text", params={"mode": "raw"}).text):
        if time.perf_counter() - began > LIMIT:
            raise TimeoutError(f"the page is not back, but: {said[:300]}")
    took = time.perf_counter() - began
    _end(podium, session)
    return took
