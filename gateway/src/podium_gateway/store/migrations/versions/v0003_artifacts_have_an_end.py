"""What each user's artifacts take, and the keys of objects that are to go; so that there can be a quota, and an end."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_users = sa.table("users", sa.column("id"), sa.column("artifact_bytes", sa.BigInteger), sa.column("artifact_files", sa.BigInteger))
_sessions = sa.table("sessions", sa.column("uid"), sa.column("user_id"))
_artifacts = sa.table("artifacts", sa.column("session_uid"), sa.column("size", sa.BigInteger))


def upgrade() -> None:
    """Add the columns and the table, and count what is there."""
    for name in ("artifact_bytes", "artifact_files"):
        op.add_column("users", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_artifacts_created_at", "artifacts", ["created_at"])
    op.create_table(
        "removed_objects",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_removed_objects"),
    )
    op.create_index("ix_removed_objects_due_at", "removed_objects", ["due_at"])
    _count()


def _count() -> None:
    theirs = _artifacts.join(_sessions, _artifacts.c.session_uid == _sessions.c.uid)
    sums = {
        "artifact_bytes": sa.func.coalesce(sa.func.sum(_artifacts.c.size), 0),
        "artifact_files": sa.func.count(),
    }
    values = {
        name: sa.select(each).select_from(theirs).where(_sessions.c.user_id == _users.c.id).scalar_subquery()
        for name, each in sums.items()
    }
    op.execute(sa.update(_users).values(values))
