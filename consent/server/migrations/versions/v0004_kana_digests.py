"""A chart number keeps a digest of the kana it was registered for, so that a changed name is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("references", sa.Column("kana_digest", sa.String(64), nullable=False, server_default=""))
