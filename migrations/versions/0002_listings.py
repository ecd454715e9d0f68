"""Listings, revisions, images and embeddings."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ENUMS = {
    "listing_status": ("pending", "assigned", "needs_review", "abstained", "withdrawn"),
    "image_status": ("pending", "stored", "unusable", "unreachable"),
}


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    for name, words in ENUMS.items():
        postgresql.ENUM(*words, name=name).create(op.get_bind())
    op.create_table(
        "listings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("current_revision_id", sa.BigInteger(), nullable=True),
        sa.Column("status", postgresql.ENUM(name="listing_status", create_type=False), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("reviewed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("search", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'withdrawn') = (withdrawn_at IS NOT NULL)", name=op.f("ck_listings_withdrawn")),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_listings_confidence")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_listings_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
        sa.UniqueConstraint("source_id", "external_id", name=op.f("uq_listings_source_id_external_id")),
    )
    op.create_index(
        "ix_listings_category",
        "listings",
        ["category", "id"],
        unique=False,
        postgresql_where=sa.text("category IS NOT NULL"),
    )
    op.create_index(
        "ix_listings_confidence",
        "listings",
        ["confidence", "id"],
        unique=False,
        postgresql_where=sa.text("confidence IS NOT NULL"),
    )
    op.create_index("ix_listings_created", "listings", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_listings_search",
        "listings",
        [sa.literal_column("to_tsvector('simple', search)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index("ix_listings_source_status", "listings", ["source_id", "status", "id"], unique=False)
    op.create_index("ix_listings_status", "listings", ["status", "id"], unique=False)
    op.create_table(
        "revisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("listing_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("seller_category", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_revisions_number")),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_revisions_listing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint("listing_id", "id", name=op.f("uq_revisions_listing_id_id")),
        sa.UniqueConstraint("listing_id", "number", name=op.f("uq_revisions_listing_id_number")),
    )
    op.create_table(
        "embeddings",
        sa.Column("revision_id", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("extractor", sa.Text(), nullable=False),
        sa.Column("vector", Vector(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["model_versions.id"], name=op.f("fk_embeddings_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_embeddings_revision_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("revision_id", "model_id", "extractor", name=op.f("pk_embeddings")),
    )
    op.create_table(
        "images",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("revision_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("status", postgresql.ENUM(name="image_status", create_type=False), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(status = 'stored') = (storage_key IS NOT NULL)", name=op.f("ck_images_stored")),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_images_revision_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("revision_id", "position", name=op.f("uq_images_revision_id_position")),
    )
    op.create_index(op.f("ix_images_storage_key"), "images", ["storage_key"], unique=False)
    op.create_foreign_key(
        "fk_listings_current_revision", "listings", "revisions", ["id", "current_revision_id"], ["listing_id", "id"]
    )


def downgrade() -> None:
    op.drop_constraint("fk_listings_current_revision", "listings")
    op.drop_table("images")
    op.drop_table("embeddings")
    op.drop_table("revisions")
    op.drop_table("listings")
    for name in ENUMS:
        postgresql.ENUM(name=name).drop(op.get_bind())
