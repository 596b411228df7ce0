"""Users and their keys, sessions and their runs, events, artifacts, saved states."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make every table."""
    _users()
    _sessions()
    _recorded()


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
        sa.Column("last_used_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id"),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("uid", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("workspace_id", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(128), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("last_run", sa.Integer, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("dropped_events", sa.BigInteger, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id"),
        sa.UniqueConstraint("user_id", "session_id", name="uq_sessions_user_id_session_id"),
    )
    op.create_index("ix_sessions_workspace_id_idempotency_key", "sessions", ["workspace_id", "idempotency_key"])
    op.create_table(
        "runs",
        sa.Column("session_uid", sa.String(64), nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("message", sa.String(2000), nullable=False),
        sa.Column("live_id", sa.String(128)),
        sa.Column("last_counter", sa.BigInteger, nullable=False),
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("launch", sa.String(16)),
        sa.Column("headless", sa.Boolean),
        sa.Column("sandbox", sa.JSON),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("idle_timeout", sa.Float, nullable=False),
        sa.Column("max_lifetime", sa.Float, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ready_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.PrimaryKeyConstraint("session_uid", "run", name="pk_runs"),
        sa.ForeignKeyConstraint(["session_uid"], ["sessions.uid"], name="fk_runs_session_uid"),
        sa.UniqueConstraint("live_id", name="uq_runs_live_id"),
    )


def _recorded() -> None:
    op.create_table(
        "events",
        sa.Column("session_uid", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("counter", sa.BigInteger),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("blob", sa.String(64)),
        sa.PrimaryKeyConstraint("session_uid", "seq", name="pk_events"),
        sa.ForeignKeyConstraint(["session_uid"], ["sessions.uid"], name="fk_events_session_uid"),
    )
    op.create_index("ix_events_session_uid_type_seq", "events", ["session_uid", "type", "seq"])
    op.create_table(
        "artifacts",
        sa.Column("session_uid", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("mime", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("object_key", sa.String(255), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("session_uid", "id", name="pk_artifacts"),
        sa.ForeignKeyConstraint(["session_uid"], ["sessions.uid"], name="fk_artifacts_session_uid"),
    )
    op.create_table(
        "saved_states",
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(128), nullable=False),
        sa.Column("session_uid", sa.String(64), nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("object_key", sa.String(255), nullable=False),
        sa.Column("saved_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "session_id", name="pk_saved_states"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_saved_states_user_id"),
    )
