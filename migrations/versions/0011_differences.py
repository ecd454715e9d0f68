"""Differences between a complete import and the previous complete import of the same query."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    postgresql.ENUM("came_back", "vanished", name="difference").create(op.get_bind())
    op.create_table(
        "import_differences",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", postgresql.ENUM(name="difference", create_type=False), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("listing_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_differences_import_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_import_differences_listing_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("import_id", "kind", "number", name=op.f("pk_import_differences")),
    )
    op.create_index("ix_import_differences_listing_id", "import_differences", ["listing_id"])
    op.add_column("imports", sa.Column("came_back", sa.Integer(), nullable=True))
    op.create_index(
        "ix_import_rows_told",
        "import_rows",
        ["import_id", "verdict", "number"],
        postgresql_where=sa.text("verdict IN ('changed', 'rejected')"),
    )


def downgrade() -> None:
    op.drop_index("ix_import_rows_told", "import_rows")
    op.drop_column("imports", "came_back")
    op.drop_table("import_differences")
    op.execute("DROP TYPE difference")
