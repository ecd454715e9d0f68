"""Categories can be retired: models no longer answer or suggest them."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("categories", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_categories_retired",
        "categories",
        ["taxonomy_id", "path"],
        postgresql_where=sa.text("retired_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_categories_retired", "categories")
    op.drop_column("categories", "retired_at")
