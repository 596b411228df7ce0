"""What a run has counted, where it ended up, and which request an event is about; so that views need not read everything."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COUNTS = ("navigations", "actions", "screenshots", "console_messages", "requests")

_events = sa.table(
    "events",
    sa.column("session_uid", sa.String),
    sa.column("run", sa.Integer),
    sa.column("type", sa.String),
    sa.column("data", sa.JSON),
    sa.column("subject", sa.String),
)
_runs = sa.table(
    "runs", sa.column("session_uid", sa.String), sa.column("run", sa.Integer), *(sa.column(name, sa.Integer) for name in _COUNTS)
)


def upgrade() -> None:
    """Add the columns, and fill them for what is there."""
    for name in _COUNTS:
        op.add_column("runs", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("machine", sa.String(255)))
    op.add_column("runs", sa.Column("last_url", sa.String(10000)))
    op.add_column("runs", sa.Column("last_title", sa.String(1000)))
    op.add_column("events", sa.Column("subject", sa.String(64)))
    op.create_index("ix_events_session_uid_subject_seq", "events", ["session_uid", "subject", "seq"])
    _fill()


def _fill() -> None:
    subject = sa.func.substr(_events.c.data["request_id"].as_string(), 1, 64)
    op.execute(sa.update(_events).where(_events.c.type.like("network.%")).values(subject=subject))
    counted = {
        "navigations": sa.and_(_events.c.type == "page.navigated", _events.c.data["main"].as_boolean()),
        "actions": _events.c.type == "operation",
        "console_messages": _events.c.type == "console.message",
        "requests": _events.c.type == "network.request",
    }
    of_run = (_events.c.session_uid == _runs.c.session_uid, _events.c.run == _runs.c.run)
    values = {
        name: sa.select(sa.func.count()).select_from(_events).where(*of_run, condition).scalar_subquery()
        for name, condition in counted.items()
    }
    op.execute(sa.update(_runs).values(values))
