"""How a database gets from one version of the tables to the next (Alembic); run when the server opens it."""
