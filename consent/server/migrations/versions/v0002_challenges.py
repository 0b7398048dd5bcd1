"""Challenges are known again by every process of one database, and spent ones are kept there."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "challenge_keys",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), nullable=False),
    )
    op.create_table(
        "spent_challenges",
        sa.Column("challenge_id", sa.String(64), primary_key=True),
        sa.Column("spent_at", sa.Integer, nullable=False),
    )
    op.create_index("ix_spent_challenges_spent_at", "spent_challenges", ["spent_at"])
