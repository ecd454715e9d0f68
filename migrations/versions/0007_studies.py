"""Studies as a service: their stages, jobs of their own kind, verdicts and trials.

The tables of 0005 were never used, so they are dropped and created again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ENUMS = {
    "study_status": ("running", "done", "failed"),
    "study_stage": ("sample", "trial", "combine", "supervised", "conclude"),
    "study_protocol": ("A", "B"),
    "trial_status": ("waiting", "done", "unavailable", "failed"),
    "feasibility": ("feasible", "promising", "not_feasible"),
}
FORMER_KINDS = ("categorise", "train", "purge")


def upgrade() -> None:
    op.drop_table("trials")
    op.drop_table("studies")
    for name, words in ENUMS.items():
        postgresql.ENUM(*words, name=name).create(op.get_bind())
    op.execute("ALTER TYPE job_kind ADD VALUE 'study'")
    op.create_table(
        "studies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("taxonomy_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "status", postgresql.ENUM(name="study_status", create_type=False), server_default="running", nullable=False
        ),
        sa.Column(
            "stage", postgresql.ENUM(name="study_stage", create_type=False), server_default="sample", nullable=False
        ),
        sa.Column("unique_key", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("agenda", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("categories", sa.Integer(), nullable=True),
        sa.Column("listings", sa.Integer(), nullable=True),
        sa.Column("studied", sa.Integer(), nullable=True),
        sa.Column("verdict", postgresql.ENUM(name="feasibility", create_type=False), nullable=True),
        sa.Column("best", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'running') = (ended_at IS NULL)", name=op.f("ck_studies_ended")),
        sa.CheckConstraint("(status = 'failed') = (error IS NOT NULL)", name=op.f("ck_studies_error")),
        sa.CheckConstraint("(status = 'done') = (verdict IS NOT NULL)", name=op.f("ck_studies_verdict")),
        sa.CheckConstraint("level >= 1", name=op.f("ck_studies_level")),
        sa.ForeignKeyConstraint(["taxonomy_id"], ["taxonomies.id"], name=op.f("fk_studies_taxonomy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_studies_unique_key")),
    )
    op.create_index("ix_studies_taxonomy", "studies", ["taxonomy_id", "id"], unique=False)
    op.create_index(
        "uq_studies_running",
        "studies",
        ["taxonomy_id"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("extractor", sa.Text(), nullable=False),
        sa.Column("modality", postgresql.ENUM(name="modality", create_type=False), nullable=False),
        sa.Column("protocol", postgresql.ENUM(name="study_protocol", create_type=False), nullable=False),
        sa.Column(
            "status", postgresql.ENUM(name="trial_status", create_type=False), server_default="waiting", nullable=False
        ),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'waiting') = (ended_at IS NULL)", name=op.f("ck_trials_ended")),
        sa.CheckConstraint(
            "(status IN ('unavailable', 'failed')) = (reason IS NOT NULL)", name=op.f("ck_trials_reason")
        ),
        sa.CheckConstraint("(status = 'done') = (figures IS NOT NULL)", name=op.f("ck_trials_figures")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_trials_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
        sa.UniqueConstraint("study_id", "extractor", "protocol", name=op.f("uq_trials_study_id_extractor_protocol")),
    )
    op.create_index(
        "ix_jobs_study",
        "jobs",
        [sa.text("((payload ->> 'study_id')::bigint)")],
        unique=False,
        postgresql_where=sa.text("payload ? 'study_id'"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_study", table_name="jobs")
    op.drop_table("trials")
    op.drop_table("studies")
    for name in ENUMS:
        postgresql.ENUM(name=name).drop(op.get_bind())
    _take_back_the_kind()
    _make_the_former_tables()


def _take_back_the_kind() -> None:
    """Postgres cannot remove an enum value: delete jobs of that kind, and move the column to an enum without it."""
    op.execute("DELETE FROM jobs WHERE kind = 'study'")
    op.drop_constraint(op.f("ck_jobs_revision"), "jobs")
    op.execute("ALTER TYPE job_kind RENAME TO job_kind_with_study")
    postgresql.ENUM(*FORMER_KINDS, name="job_kind").create(op.get_bind())
    op.execute("ALTER TABLE jobs ALTER COLUMN kind TYPE job_kind USING kind::text::job_kind")
    op.execute("DROP TYPE job_kind_with_study")
    op.create_check_constraint(
        op.f("ck_jobs_revision"),
        "jobs",
        "kind <> 'categorise' OR (revision_id IS NOT NULL AND listing_id IS NOT NULL)",
    )


def _make_the_former_tables() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("taxonomy_id", sa.BigInteger(), nullable=False),
        sa.Column("status", postgresql.ENUM(name="run_status", create_type=False), nullable=False),
        sa.Column("unique_key", sa.Text(), nullable=True),
        sa.Column("data_fingerprint", sa.Text(), nullable=True),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["taxonomy_id"], ["taxonomies.id"], name=op.f("fk_studies_taxonomy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_studies_unique_key")),
    )
    op.create_index(op.f("ix_studies_taxonomy_id"), "studies", ["taxonomy_id"], unique=False)
    op.create_table(
        "trials",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("extractor", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("status", postgresql.ENUM(name="run_status", create_type=False), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("protocol IN ('A', 'B')", name=op.f("ck_trials_protocol")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_trials_study_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
        sa.UniqueConstraint("study_id", "extractor", "protocol", name=op.f("uq_trials_study_id_extractor_protocol")),
    )
