"""A terminal's own visits are found without looking at everybody's."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ix_visits_of_terminal", "visits", ["terminal_id", "identified_at"])
