"""A person's consents are found by an index: among ten million visits a whole table was read (measured)."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_visits_of_certificate", "visits", ["certificate_sha256"])
