"""The tables of the versions before there were migrations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("visit_id", sa.String(64), primary_key=True),
        sa.Column("terminal_id", sa.String(40), nullable=False),
        sa.Column("certificate_sha256", sa.String(64), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("standing", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("profile", sa.String(20), nullable=False),
        sa.Column("facility", sa.JSON, nullable=False),
        sa.Column("facility_kind", sa.String(10), nullable=False),
        sa.Column("institution_code", sa.String(10), nullable=False),
        sa.Column("card_use_offered", sa.Boolean, nullable=False),
        sa.Column("card_use", sa.String(10), nullable=True),
        sa.Column("questions", sa.JSON, nullable=False),
        sa.Column("identified_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "consents",
        sa.Column("visit_id", sa.String(64), sa.ForeignKey("visits.visit_id"), primary_key=True),
        sa.Column("sent", sa.JSON, nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("prescription", sa.String(10), nullable=True),
        sa.Column("recorded_at", sa.String(40), nullable=False),
        sa.Column("available_until", sa.String(40), nullable=False),
    )
    op.create_table("card_uses", sa.Column("person_id", sa.String(255), primary_key=True))
    op.create_table(
        "references",
        sa.Column("institution_code", sa.String(10), primary_key=True),
        sa.Column("person_id", sa.String(255), primary_key=True),
        sa.Column("reference_number", sa.String(50), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Column("terminal_id", sa.String(40), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("visit_id", sa.String(64), nullable=False),
        sa.Column("staff", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
    )
