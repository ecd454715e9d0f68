"""Imports of files keep the summary of what was read: columns, categories, notes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("imports", sa.Column("summary", JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("imports", "summary")
