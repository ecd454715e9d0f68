"""Rows of files that are variants of an earlier row's listing have a verdict and a count of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The value may not be used in the transaction that adds it, and is not.
    op.execute("ALTER TYPE verdict ADD VALUE IF NOT EXISTS 'variant'")
    op.add_column("imports", sa.Column("variant", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    # Postgres cannot take a value out of a type; one that nothing uses does no harm.
    op.execute("DELETE FROM import_rows WHERE verdict = 'variant'")
    op.drop_column("imports", "variant")
