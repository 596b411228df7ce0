"""All parts of one gateway, put together; the only module that knows every room."""

import platform
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
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
from podium_gateway.provision.local.adapter import LocalProvisioner
from podium_gateway.provision.local.child import Limits
from podium_gateway.provision.local.folders import Folders
from podium_gateway.provision.local.launch import Launcher, environment_for_agents
from podium_gateway.provision.local.ports import Ports
from podium_gateway.provision.local.uids import Uids
from podium_gateway.provision.port import Provisioner
from podium_gateway.sessions.catalog import Catalog
from podium_gateway.sessions.core import Sessions
from podium_gateway.sessions.reports import Reports
from podium_gateway.sessions.runs import Runs
from podium_gateway.sessions.stored import StoredSessions
from podium_gateway.sessions.tokens import RunTokens
from podium_gateway.settings import Settings
from podium_gateway.store.artifacts import Artifacts
from podium_gateway.store.database import Database
from podium_gateway.store.events import EventLog
from podium_gateway.store.excerpts import Excerpts
from podium_gateway.store.keys import Accounts
from podium_gateway.store.objects import Objects
from podium_gateway.store.sessions import SessionRecords
from podium_gateway.store.states import SavedStates
from podium_gateway.tunnels import RawTunnel, Tunnels
from podium_gateway.views.recorded import Recorded
from podium_protocol.sessions import Destinations
from podium_protocol.signing import RequestSigner

__all__ = ["Gateway", "assemble", "local_provisioner"]


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
    accounts: Accounts
    keyring: Keyring


def local_provisioner(settings: Settings, folders: Folders, environ: Mapping[str, str], *, uid: int) -> LocalProvisioner:
    """Sessions as child processes of this one, whose user is `uid`."""
    # Agents die with their gateway, so its key need not outlive it.
    signer = RequestSigner(Ed25519PrivateKey.generate(), f"gateway-{secrets.token_hex(4)}")
    launcher = Launcher(
        key=f"{signer.key_id}={signer.public_key()}",
        environment=environment_for_agents(environ),
        chromium=settings.chromium,
        sandbox=settings.sandbox,
        log_level=settings.log_level,
    )
    screen = shutil.which("Xvfb", path=environ.get("PATH")) is not None
    return LocalProvisioner(
        folders,
        launcher,
        signer=signer,
        uids=Uids(enabled=uid == 0, first=settings.first_uid),
        ports=Ports(),
        limits=Limits(
            start=settings.start_timeout,
            stop=settings.stop_grace,
            answer=settings.agent_timeout,
            hang=settings.agent_silence,
        ),
        headless=settings.headless == "true" or (settings.headless == "auto" and not screen),
        warm=settings.warm,
        node=platform.node(),
    )


def _node(settings: Settings) -> str:
    # The same after a restart, and another one's for another home: by it a gateway finds the runs that it lost.
    return f"local-{settings.runtime.name}"


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def assemble(settings: Settings, database: Database, provisioner: Provisioner, *, internal_socket: str) -> Gateway:
    """Everything between the database and the two apps."""
    objects = Objects(settings.objects_url)
    accounts, keyring = Accounts(database), Keyring.open(settings.home)
    records = SessionRecords(database)
    events = EventLog(database, most=settings.max_events)
    states = SavedStates(database, objects, largest=settings.max_state)
    artifacts = Artifacts(database, objects, largest=settings.max_artifact)

    catalog, metrics, tokens = Catalog(), Metrics(), RunTokens(monotonic)
    tunnels = Tunnels(metrics)
    reports = Reports(catalog, events=events, states=states, artifacts=artifacts, clock=_now)
    stored = StoredSessions(catalog, states, enabled=settings.storage == "on", clock=_now)
    runs = Runs(
        catalog,
        provisioner,
        records=records,
        events=events,
        stored=stored,
        reports=reports,
        tokens=tokens,
        tunnels=tunnels,
        metrics=metrics,
        settings=settings,
        destinations=lambda token: Destinations(url="http://gateway", token=token, socket=internal_socket),
        clock=_now,
        node=_node(settings),
    )
    sessions = Sessions(catalog, runs, provisioner=provisioner, records=records, settings=settings)
    extractor = Extractor()
    operation_log = OperationLog(events, artifacts, being_stored=reports.being_taken)
    operations = Operations(sessions, operation_log, extractor=extractor, clock=_now)
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
        machine=platform.node(),
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
        accounts=accounts,
        keyring=keyring,
    )
