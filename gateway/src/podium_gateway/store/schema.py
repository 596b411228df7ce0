"""The tables. Migrations make them; a test compares the two.

Ids: `sessions.uid` is ours, random and never reused, and what every routed request names; `session_id` is the caller's word,
unique for its user, and for the time of a live run unique in the whole service (`runs.live_id`).
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from podium_gateway.store.columns import Time, Words

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
ID: Final = Words(64)
"""Users, keys, sessions by uid, artifacts."""
SESSION_ID: Final = Words(128)
MESSAGE: Final = 2000
"""Characters kept of an end's message."""
NAME: Final = 255
URL: Final = 10_000
"""Characters kept of a URL; as many as an agent keeps."""
TITLE: Final = 1000
SUBJECT: Final = 64

COUNTS: Final = ("navigations", "actions", "screenshots", "console_messages", "requests")

metadata = MetaData(naming_convention=NAMING)

users = Table(
    "users",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Words(100), nullable=False, unique=True),
    Column("created_at", Time, nullable=False),
    # What the user's artifacts take: changed with them, in one transaction, so that gateways side by side keep one quota.
    Column("artifact_bytes", BigInteger, nullable=False, server_default="0"),
    Column("artifact_files", BigInteger, nullable=False, server_default="0"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Words(100), nullable=False),
    Column("token_hash", Words(64), nullable=False),  # SHA-256 in hex; the token itself is never kept
    Column("created_at", Time, nullable=False),
    Column("revoked_at", Time),
    Column("last_used_at", Time),
)

sessions = Table(
    "sessions",
    metadata,
    Column("uid", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
    Column("workspace_id", ID, nullable=False),
    Column("session_id", SESSION_ID, nullable=False),
    Column("idempotency_key", Words(NAME)),
    Column("last_run", Integer, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("dropped_events", BigInteger, nullable=False),  # trimmed from the front: what is kept is (dropped, last_seq]
    Column("created_at", Time, nullable=False),
    UniqueConstraint("user_id", "session_id"),
    Index(None, "workspace_id", "idempotency_key"),
)

runs = Table(
    "runs",
    metadata,
    Column("session_uid", ID, ForeignKey("sessions.uid"), nullable=False),
    Column("run", Integer, nullable=False),
    Column("status", Words(16), nullable=False),
    Column("reason", Words(32)),
    Column("message", Words(MESSAGE), nullable=False),
    Column("live_id", SESSION_ID, unique=True),  # the session id while the run lives, NULL after: many NULLs may be
    Column("last_counter", BigInteger, nullable=False),
    Column("node", Words(NAME), nullable=False),
    Column("launch", Words(16)),
    Column("headless", Boolean),
    Column("sandbox", JSON(none_as_null=True)),
    Column("options", JSON, nullable=False),
    Column("idle_timeout", Float, nullable=False),
    Column("max_lifetime", Float, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("ready_at", Time),
    Column("ended_at", Time),
    # What the run has counted over its whole life, also of events that were trimmed since; see `tally`.
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTS),
    Column("machine", Words(NAME)),  # NULL until the browser is there
    Column("last_url", Words(URL)),
    Column("last_title", Words(TITLE)),
    PrimaryKeyConstraint("session_uid", "run"),
)

events = Table(
    "events",
    metadata,
    Column("session_uid", ID, ForeignKey("sessions.uid"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("run", Integer, nullable=False),
    Column("counter", BigInteger),  # NULL for the gateway's own
    Column("type", Words(64), nullable=False),
    Column("time", Time, nullable=False),
    Column("data", JSON, nullable=False),  # not JSONB, which refuses NUL characters
    Column("blob", ID),
    Column("subject", Words(SUBJECT)),  # what events are about together: a request, a document's load
    PrimaryKeyConstraint("session_uid", "seq"),
    Index(None, "session_uid", "subject", "seq"),
    Index(None, "session_uid", "type", "seq"),  # views ask for a few types of a session that may hold 50,000
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("session_uid", ID, ForeignKey("sessions.uid"), nullable=False),
    Column("id", ID, nullable=False),
    Column("run", Integer, nullable=False),
    Column("type", Words(32), nullable=False),
    Column("name", Words(NAME), nullable=False),
    Column("mime", Words(NAME), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Words(64), nullable=False),
    Column("object_key", Words(NAME), nullable=False, index=True),
    Column("created_at", Time, nullable=False, index=True),
    PrimaryKeyConstraint("session_uid", "id"),
)

saved_states = Table(
    "saved_states",
    metadata,
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
    Column("session_id", SESSION_ID, nullable=False),
    Column("session_uid", ID, nullable=False),
    Column("run", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Words(64), nullable=False),
    Column("object_key", Words(NAME), nullable=False),
    Column("saved_at", Time, nullable=False),
    PrimaryKeyConstraint("user_id", "session_id"),
)

removed_objects = Table(
    "removed_objects",
    metadata,
    Column("key", Words(NAME), primary_key=True),  # of an object that no other row names any more, or may name after all
    Column("attempts", Integer, nullable=False),
    Column("due_at", Time, nullable=False, index=True),
)
