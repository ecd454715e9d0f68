"""Fewer checks and index entries per imported product: one foreign key from a job to the revision of its listing."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_foreign_key(
        "fk_jobs_revision",
        "jobs",
        "revisions",
        ["listing_id", "revision_id"],
        ["listing_id", "id"],
        ondelete="CASCADE",
        match="FULL",
    )
    op.drop_constraint("fk_jobs_listing_id", "jobs", type_="foreignkey")
    op.drop_constraint("fk_jobs_revision_id", "jobs", type_="foreignkey")
    op.drop_index("ix_images_storage_key", "images")
    op.create_index(
        "ix_images_storage_key", "images", ["storage_key"], postgresql_where=sa.text("storage_key IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_images_storage_key", "images")
    op.create_index("ix_images_storage_key", "images", ["storage_key"])
    op.create_foreign_key("fk_jobs_revision_id", "jobs", "revisions", ["revision_id"], ["id"], ondelete="CASCADE")
    op.create_foreign_key("fk_jobs_listing_id", "jobs", "listings", ["listing_id"], ["id"], ondelete="CASCADE")
    op.drop_constraint("fk_jobs_revision", "jobs", type_="foreignkey")
