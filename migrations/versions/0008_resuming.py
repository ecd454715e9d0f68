"""Interrupted imports can continue where they stopped: cursors of imports, and one verdict per row."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("imports", sa.Column("without_photo", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("imports", sa.Column("fingerprint", sa.Text(), nullable=True))
    op.add_column("import_rows", sa.Column("note", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("import_rows", "note")
    op.drop_column("imports", "fingerprint")
    op.drop_column("imports", "without_photo")
