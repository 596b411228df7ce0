"""All parts of one gateway, put together; the only module that knows every room."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from fastapi import FastAPI
from starlette.applications import Starlette

from podium_gateway.app import build
from podium_gateway.auth.authenticate import Authenticator
from podium_gateway.auth.keys import Keyring
from podium_gateway.auth.signed import LinkSigner
from podium_gateway.faces.context import Parts
from podium_gateway.internal import internal_app
from podium_gateway.metrics import Gauges, Metrics
from podium_gateway.operations.core import Operations
from podium_gateway.operations.log import OperationLog
from podium_gateway.operations.readable import Extractor
from podium_gateway.placement import Placement
from podium_gateway.retention import Retention
from podium_gateway.sessions.catalog import Catalog
from podium_gateway.sessions.chronicle import Chronicle
from podium_gateway.sessions.core import Sessions
from podium_gateway.sessions.reports import Reports
from podium_gateway.sessions.runs import Runs
from podium_gateway.sessions.stored import StoredSessions
from podium_gateway.sessions.strays import Strays
from podium_gateway.sessions.tokens import RunTokens
from podium_gateway.settings import Settings
from podium_gateway.store.artifacts import Artifacts, Quota
from podium_gateway.store.database import Database
from podium_gateway.store.events import EventLog
from podium_gateway.store.excerpts import Excerpts
from podium_gateway.store.keys import Accounts
from podium_gateway.store.objects import Objects
from podium_gateway.store.removals import Removals
from podium_gateway.store.sessions import SessionRecords
from podium_gateway.store.states import SavedStates
from podium_gateway.tunnels import RawTunnel, Tunnels
from podium_gateway.views.recorded import Recorded

__all__ = ["Gateway", "assemble"]


@dataclass(frozen=True, slots=True)
class Gateway:
    """What `serve` runs and ends."""

    public: FastAPI
    internal: Starlette
    sessions: Sessions
    runs: Runs
    operation_log: OperationLog
    extractor: Extractor
    tunnels: Tunnels
    strays: Strays
    retention: Retention
    accounts: Accounts
    keyring: Keyring


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def assemble(settings: Settings, database: Database, placement: Placement) -> Gateway:
    """Everything between the database and the two apps."""
    provisioner = placement.provisioner
    objects = Objects(settings.objects_url, reserve=settings.objects_reserve)
    accounts, keyring = Accounts(database), Keyring.open(settings.home)
    records = SessionRecords(database)
    events = EventLog(database, most=settings.max_events)
    states = SavedStates(database, objects, largest=settings.max_state)
    quota = Quota(bytes=settings.artifact_quota_bytes, files=settings.artifact_quota_files)
    artifacts = Artifacts(database, objects, largest=settings.max_artifact, quota=quota)

    catalog, metrics, tokens = Catalog(), Metrics(), RunTokens(placement.token_secret, monotonic)
    tunnels = Tunnels(metrics, explains=provisioner.outlives)
    reports = Reports(catalog, events=events, states=states, artifacts=artifacts, clock=_now)
    stored = StoredSessions(catalog, states, artifacts, records=records, enabled=settings.storage == "on", clock=_now)
    runs = Runs(
        catalog,
        provisioner,
        records=records,
        chronicle=Chronicle(records, events, clock=_now),
        stored=stored,
        reports=reports,
        tokens=tokens,
        tunnels=tunnels,
        metrics=metrics,
        settings=settings,
        destinations=placement.destinations,
        clock=_now,
        node=placement.node,
    )
    sessions = Sessions(
        catalog, runs, provisioner=provisioner, records=records, settings=settings, several_users=accounts.several_users
    )
    extractor = Extractor()
    operation_log = OperationLog(events, artifacts, being_stored=reports.being_taken)
    operations = Operations(sessions, operation_log, artifacts, extractor=extractor, clock=_now)
    metrics.watch(
        Gauges(
            sessions=catalog.by_status,
            tunnels=lambda: len(tunnels),
            warm=provisioner.warm,
            capacity=settings.max_sessions,
        )
    )
    parts = Parts(
        settings=settings,
        authenticator=Authenticator(accounts, keyring),
        sessions=sessions,
        operations=operations,
        stored=stored,
        tunnels=tunnels,
        tunnel=RawTunnel(),
        events=events,
        artifacts=artifacts,
        recorded=Recorded(
            Excerpts(database),
            most_console=settings.max_console,
            most_requests=settings.max_requests,
            most_events=settings.max_events,
        ),
        links=LinkSigner.open(settings.home),
        machine=placement.machine,
        metrics=metrics,
    )
    return Gateway(
        public=build(parts),
        internal=internal_app(reports, tokens, settings),
        sessions=sessions,
        runs=runs,
        operation_log=operation_log,
        extractor=extractor,
        tunnels=tunnels,
        strays=Strays(provisioner, records),
        retention=Retention(
            artifacts,
            Removals(database, objects),
            keep=timedelta(days=settings.artifact_retention) if settings.artifact_retention else None,
            clock=_now,
        ),
        accounts=accounts,
        keyring=keyring,
    )
