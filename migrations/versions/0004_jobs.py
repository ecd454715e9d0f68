"""The outbox: jobs, attempts, dead letters, workers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ENUMS = {
    "queue": ("interactive", "categorise", "training"),
    "job_kind": ("categorise", "train", "purge"),
    "priority": ("interactive", "pipeline", "import", "backfill"),
    "job_state": ("waiting", "sent", "leased", "done", "superseded", "dead"),
    "outcome": ("done", "retry", "requeued", "failed", "died", "fenced"),
}


def upgrade() -> None:
    for name, words in ENUMS.items():
        postgresql.ENUM(*words, name=name).create(op.get_bind())
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("queue", postgresql.ENUM(name="queue", create_type=False), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("seconds_per_listing", sa.Double(), nullable=True),
        sa.Column("memory", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slots >= 1", name=op.f("ck_workers_slots")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", postgresql.ENUM(name="job_kind", create_type=False), nullable=False),
        sa.Column("priority", postgresql.ENUM(name="priority", create_type=False), nullable=False),
        sa.Column("queue", postgresql.ENUM(name="queue", create_type=False), nullable=False),
        sa.Column(
            "state", postgresql.ENUM(name="job_state", create_type=False), server_default="waiting", nullable=False
        ),
        sa.Column("listing_id", sa.BigInteger(), nullable=True),
        sa.Column("revision_id", sa.BigInteger(), nullable=True),
        sa.Column("unique_key", sa.Text(), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("deaths_alone", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("alone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state IN ('sent', 'leased')) = (deadline IS NOT NULL)", name=op.f("ck_jobs_deadline")),
        sa.CheckConstraint(
            "kind <> 'categorise' OR (revision_id IS NOT NULL AND listing_id IS NOT NULL)",
            name=op.f("ck_jobs_revision"),
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_jobs_progress")),
        sa.ForeignKeyConstraint(["listing_id"], ["listings.id"], name=op.f("fk_jobs_listing_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revisions.id"], name=op.f("fk_jobs_revision_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_jobs_unique_key")),
    )
    op.create_index(
        "ix_jobs_open_listing",
        "jobs",
        ["listing_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'sent', 'leased')"),
    )
    op.create_index(
        "ix_jobs_out",
        "jobs",
        ["queue", "deadline"],
        unique=False,
        postgresql_where=sa.text("state IN ('sent', 'leased')"),
    )
    op.create_index("ix_jobs_revision", "jobs", ["revision_id"], unique=False)
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["queue", "priority", "not_before", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "uq_jobs_open_revision",
        "jobs",
        ["revision_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('waiting', 'sent', 'leased')"),
    )
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", postgresql.ENUM(name="outcome", create_type=False), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("seconds", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_attempts_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "attempt", name=op.f("pk_attempts")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("history", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_dead_letters_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index("ix_dead_letters_created", "dead_letters", ["created_at", "id"], unique=False)
    op.create_index(
        "uq_dead_letters_open", "dead_letters", ["job_id"], unique=True, postgresql_where=sa.text("replayed_at IS NULL")
    )


def downgrade() -> None:
    op.drop_table("dead_letters")
    op.drop_table("attempts")
    op.drop_table("jobs")
    op.drop_table("workers")
    for name in ENUMS:
        postgresql.ENUM(name=name).drop(op.get_bind())
