"""Products of external databases: collections, provenances, rules for their categories, and rate limits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB(astext_type=sa.Text())
FORMER_KINDS = ("categorise", "train", "purge", "study")
FORMER_QUEUES = ("interactive", "categorise", "training")


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    default = None if nullable else sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def upgrade() -> None:
    op.execute("ALTER TYPE job_kind ADD VALUE 'collect'")
    op.execute("ALTER TYPE job_kind ADD VALUE 'map'")
    op.execute("ALTER TYPE queue ADD VALUE 'collecting'")
    postgresql.ENUM("proposed", "accepted", "refused", name="rule_status").create(op.get_bind())
    op.create_table(
        "collections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("query", JSONB, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        moment("next_at", nullable=True),
        moment("created_at"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_collections_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
        sa.UniqueConstraint("source_id", "fingerprint", name=op.f("uq_collections_source_id_fingerprint")),
    )
    op.create_table(
        "provenances",
        sa.Column("listing_id", sa.BigInteger(), nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("categories", JSONB, server_default=sa.text("'[]'"), nullable=False),
        moment("modified_at", nullable=True),
        moment("seen_at"),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listings.id"], name=op.f("fk_provenances_listing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_provenances")),
    )
    op.create_index("ix_provenances_categories", "provenances", ["categories"], postgresql_using="gin")
    op.create_table(
        "category_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("source_category", sa.Text(), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "status", postgresql.ENUM(name="rule_status", create_type=False), server_default="proposed", nullable=False
        ),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("similarity", sa.Float(), nullable=True),
        sa.Column("agreement", sa.Float(), nullable=True),
        sa.Column("support", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("grounds", JSONB, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        moment("created_at"),
        moment("updated_at"),
        sa.CheckConstraint("(status = 'proposed') = (decided_by IS NULL)", name=op.f("ck_category_rules_decided")),
        sa.CheckConstraint("score BETWEEN 0 AND 1", name=op.f("ck_category_rules_score")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_category_rules_source_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name=op.f("fk_category_rules_category_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category_rules")),
        sa.UniqueConstraint(
            "source_id",
            "source_category",
            "category_id",
            name=op.f("uq_category_rules_source_id_source_category_category_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_category_rules_category_id", "category_rules", ["category_id"])
    op.create_index(
        "uq_category_rules_accepted",
        "category_rules",
        ["source_id", "source_category"],
        unique=True,
        postgresql_where=sa.text("status = 'accepted'"),
    )
    op.create_table(
        "host_slots",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("host", "kind", "number", name=op.f("pk_host_slots")),
    )
    op.create_table(
        "host_health",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        moment("left_alone_until", nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_host_health_failures")),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_host_health")),
    )
    op.add_column("imports", sa.Column("collection_id", sa.BigInteger(), nullable=True))
    op.add_column("imports", sa.Column("query", JSONB, nullable=True))
    op.add_column("imports", sa.Column("complete", sa.Boolean(), nullable=True))
    op.add_column("imports", sa.Column("vanished", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_imports_collection_id"), "imports", "collections", ["collection_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index(
        "ix_imports_collection",
        "imports",
        ["collection_id", "id"],
        postgresql_where=sa.text("collection_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_imports_collection", "imports")
    op.drop_constraint(op.f("fk_imports_collection_id"), "imports", type_="foreignkey")
    for column in ("vanished", "complete", "query", "collection_id"):
        op.drop_column("imports", column)
    for table in ("host_health", "host_slots", "category_rules", "provenances", "collections"):
        op.drop_table(table)
    op.execute("DROP TYPE rule_status")
    _take_back_the_words()


def _take_back_the_words() -> None:
    """Postgres cannot remove enum values: delete rows that have them, and move the columns to enums without them."""
    op.execute("DELETE FROM jobs WHERE kind IN ('collect', 'map') OR queue = 'collecting'")
    op.execute("DELETE FROM workers WHERE queue = 'collecting'")
    op.drop_constraint(op.f("ck_jobs_revision"), "jobs")
    for name, words, columns in (
        ("job_kind", FORMER_KINDS, (("jobs", "kind"),)),
        ("queue", FORMER_QUEUES, (("jobs", "queue"), ("workers", "queue"))),
    ):
        op.execute(f"ALTER TYPE {name} RENAME TO {name}_with_collecting")
        postgresql.ENUM(*words, name=name).create(op.get_bind())
        for table, column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {name} USING {column}::text::{name}")
        op.execute(f"DROP TYPE {name}_with_collecting")
    op.create_check_constraint(
        op.f("ck_jobs_revision"),
        "jobs",
        "kind <> 'categorise' OR (revision_id IS NOT NULL AND listing_id IS NOT NULL)",
    )
