"""Alembic's entry: migrate on the connection that `Database.open` holds, inside its transaction."""

from alembic import context

from podium_gateway.store.schema import metadata

_connection = context.config.attributes["connection"]
# SQLite cannot alter most things in place; batch mode copies the table instead.
context.configure(connection=_connection, target_metadata=metadata, render_as_batch=_connection.dialect.name == "sqlite")
context.run_migrations()
