"""What is counted, with bounded labels: no metric knows a session by name."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from podium_crds.conditions import is_true
from podium_crds.reasons import SessionCondition
from podium_crds.sessions import BrowserSession, BrowserSessionStatus

__all__ = ["Metrics"]

_BUCKETS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """One registry of one operator."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.ready_seconds = Histogram(
            "podium_operator_ready_seconds",
            "From the first word of a session to its status Ready.",
            ["launch"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.ends = Counter("podium_operator_sessions_ended", "Sessions that ended, by reason.", ["reason"], registry=registry)
        self.lost_claims = Counter("podium_operator_lost_claims", "Claims of a warm pod that had changed.", registry=registry)
        self.conflicts = Counter(
            "podium_operator_status_conflicts", "Status writes refused because the session had changed.", registry=registry
        )
        self.failures = Counter("podium_operator_failures", "Looks at a session or pool that failed.", ["kind"], registry=registry)
        self.warm_ready = Gauge(
            "podium_operator_warm_ready", "Warm pods that a session could take now.", ["pool"], registry=registry
        )
        self.claimed = Gauge("podium_operator_claimed", "Pods that belong to sessions.", ["pool"], registry=registry)
        self.queue_depth = Gauge("podium_operator_queue_depth", "Keys that wait to be looked at.", registry=registry)
        self.queue_age = Gauge("podium_operator_queue_age_seconds", "How long the oldest of them has waited.", registry=registry)
        self.retries = Gauge(
            "podium_operator_retries", "Keys that were put back after a failure, since the start.", registry=registry
        )
        self.watch_age = Gauge("podium_operator_watch_age_seconds", "Since the pods' watch last said anything.", registry=registry)

    def status_written(self, session: BrowserSession, status: BrowserSessionStatus, *, waited: float | None) -> None:
        """Count what a status write means: ready for the first time, after so many seconds, or over."""
        if session.status.ready_at is None and status.ready_at is not None and waited is not None:
            self.ready_seconds.labels(launch=status.launch or "").observe(waited)
        ended = SessionCondition.ENDED
        if is_true(status.conditions, ended) and not is_true(session.status.conditions, ended):
            self.ends.labels(reason=status.reason or "").inc()
