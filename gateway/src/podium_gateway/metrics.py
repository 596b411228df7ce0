"""What the service counts, each metric declared once. Labels are few and bounded; ids never are labels."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from podium_gateway.sessions.lifecycle import LIVE, Status
from podium_protocol.reasons import EndReason

__all__ = ["Gauges", "Metrics"]

# A warm start takes 0.01 to 0.05 s, a cold one 0.5 to 3 s.
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


class Gauges(Collector):
    """Numbers that are looked up when somebody asks. `read` gives the values by name (and status)."""

    def __init__(
        self,
        *,
        sessions: Callable[[], dict[Status, int]],
        tunnels: Callable[[], int],
        warm: Callable[[], int],
        capacity: int,
    ) -> None:
        self._sessions = sessions
        self._tunnels = tunnels
        self._warm = warm
        self._capacity = capacity

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `Collector`."""
        family = GaugeMetricFamily("podium_sessions", "Live sessions by status.", labels=["status"])
        found = self._sessions()
        for status in sorted(LIVE):
            family.add_metric([status], found.get(status, 0))
        yield family
        yield GaugeMetricFamily("podium_sessions_capacity", "Sessions that may live at once.", value=self._capacity)
        yield GaugeMetricFamily("podium_tunnels_open", "Open DevTools and screen connections.", value=self._tunnels())
        yield GaugeMetricFamily("podium_warm_browsers", "Browsers that wait, ready to be taken.", value=self._warm())


class Metrics:
    """Counters, in a registry of our own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._starts = Histogram(
            "podium_session_start_seconds",
            "From the wish for a session to its ready browser, by launch (warm or cold).",
            ["launch"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._ends = Counter("podium_sessions_ended", "Ended sessions by reason.", ["reason"], registry=self._registry)
        self._bytes = Counter(
            "podium_tunnel_bytes", "Bytes carried by closed tunnels, by direction.", ["direction"], registry=self._registry
        )
        self._requests = Counter("podium_http_requests", "Answered requests by status class.", ["status"], registry=self._registry)
        for launch in ("warm", "cold"):
            self._starts.labels(launch)
        for reason in EndReason:
            self._ends.labels(reason)

    def watch(self, gauges: Gauges) -> None:
        """Add the numbers that are looked up."""
        self._registry.register(gauges)

    def started(self, launch: str, *, seconds: float) -> None:
        """A session has its browser."""
        self._starts.labels(launch).observe(seconds)

    def ended(self, reason: EndReason) -> None:
        """A session is over."""
        self._ends.labels(reason).inc()

    def carried(self, *, up: int, down: int) -> None:
        """A tunnel has closed."""
        self._bytes.labels("up").inc(up)
        self._bytes.labels("down").inc(down)

    def answered(self, status: int) -> None:
        """A request has its answer."""
        self._requests.labels(f"{status // 100}xx").inc()

    def page(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)
