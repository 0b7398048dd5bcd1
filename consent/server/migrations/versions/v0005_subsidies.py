"""Certificates of medical subsidies are asked for, and recorded, one by one."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("visits", sa.Column("subsidies", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("consents", sa.Column("subsidies", sa.JSON, nullable=False, server_default="{}"))
