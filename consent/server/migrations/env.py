"""What Alembic runs for every command: on the connection, and in the transaction, of who opens the database."""

from alembic import context

from consent.server.tables import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables)
with context.begin_transaction():
    context.run_migrations()
