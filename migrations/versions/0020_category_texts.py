"""Texts of categories, and suggestions by their names for listings of taxonomies without a model."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("categories", sa.Column("description", sa.Text(), server_default="", nullable=False))
    op.add_column("categories", sa.Column("synonyms", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("categories", sa.Column("external_id", sa.Text(), nullable=True))
    op.add_column("categories", sa.Column("names", JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column(
        "categories",
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.create_index(
        "uq_categories_external_id",
        "categories",
        ["taxonomy_id", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.alter_column("predictions", "model_id", nullable=True)
    op.create_index(
        "uq_predictions_without_model",
        "predictions",
        ["revision_id", "modality"],
        unique=True,
        postgresql_where=sa.text("model_id IS NULL"),
    )
    op.drop_constraint(op.f("ck_decisions_model"), "decisions", type_="check")
    op.create_check_constraint(op.f("ck_decisions_model"), "decisions", "model_id IS NOT NULL OR status <> 'assigned'")


def downgrade() -> None:
    op.execute("DELETE FROM decisions WHERE model_id IS NULL AND status <> 'abstained'")
    op.drop_constraint(op.f("ck_decisions_model"), "decisions", type_="check")
    op.create_check_constraint(op.f("ck_decisions_model"), "decisions", "model_id IS NOT NULL OR status = 'abstained'")
    op.execute("DELETE FROM predictions WHERE model_id IS NULL")
    op.drop_index("uq_predictions_without_model", "predictions")
    op.alter_column("predictions", "model_id", nullable=False)
    op.drop_index("uq_categories_external_id", "categories")
    for column in ("updated_at", "names", "external_id", "synonyms", "description"):
        op.drop_column("categories", column)
