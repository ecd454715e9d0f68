"""Codes and parameters of reasons, beside their English texts; older rows have the text only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = (
    ("decisions", "coded_reason"),
    ("images", "coded_reason"),
    ("dead_letters", "coded_reason"),
    ("studies", "coded_error"),
    ("trials", "coded_reason"),
    ("imports", "coded_note"),
    ("import_rows", "coded_reason"),
    ("import_rows", "coded_notes"),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, JSONB(), nullable=True))


def downgrade() -> None:
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
