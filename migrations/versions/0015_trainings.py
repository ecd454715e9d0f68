"""An index that finds the trainings of a taxonomy."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_jobs_taxonomy",
        "jobs",
        [sa.text("((payload ->> 'taxonomy_id')::bigint)"), "id"],
        postgresql_where=sa.text("payload ? 'taxonomy_id'"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_taxonomy", "jobs")
