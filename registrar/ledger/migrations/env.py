"""Alembic's way in: migrate.py hands over an open connection, no configuration file is read."""

from alembic import context

from registrar.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
