"""MessageRanges migrations on the connection that `foxing.memory.storage.database` passes in."""

from alembic import context

from foxing.memory.storage.schema import metadata


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    # within the caller's transaction, so that the schema and its version change together
    context.run_migrations()


run()
