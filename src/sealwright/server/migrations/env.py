"""Runs the migrations over the connection that `server.schema` hands in."""

from alembic import context

from sealwright.server.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=False)
context.run_migrations()
