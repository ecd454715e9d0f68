"""An index that finds the jobs that propose rules for a source."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_jobs_source",
        "jobs",
        [sa.text("((payload ->> 'source_id')::bigint)")],
        postgresql_where=sa.text("payload ? 'source_id'"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_source", "jobs")
