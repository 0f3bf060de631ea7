"""Runs migrations on the connection passed in by `foxing.memory.storage.database`."""

from alembic import context

from foxing.memory.storage.schema import metadata


def run() -> None:
    """Runs the migrations within the caller's transaction."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    # within the caller's transaction, so that the schema and its version change together
    context.run_migrations()


run()
