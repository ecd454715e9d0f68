"""A study stage that compares further clustering methods."""

from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FORMER_STAGES = ("sample", "trial", "combine", "supervised", "conclude")


def upgrade() -> None:
    op.execute("ALTER TYPE study_stage ADD VALUE 'compare' BEFORE 'supervised'")


def downgrade() -> None:
    """Postgres cannot remove a value from an enum: studies in that stage fail, and the column moves to another enum."""
    op.execute("DELETE FROM jobs WHERE kind = 'study' AND 'compare' IN (payload ->> 'stage', payload ->> 'of')")
    op.execute(
        "UPDATE studies SET status = 'failed', ended_at = now(), "
        "error = 'the program was taken back to one that compares no clusterings; start another study' "
        "WHERE stage = 'compare' AND status = 'running'"
    )
    op.execute("UPDATE studies SET stage = 'combine' WHERE stage = 'compare'")
    op.execute("UPDATE studies SET plan = plan - 'clusterings'")
    op.execute("ALTER TABLE studies ALTER COLUMN stage DROP DEFAULT")
    op.execute("ALTER TYPE study_stage RENAME TO study_stage_with_compare")
    postgresql.ENUM(*FORMER_STAGES, name="study_stage").create(op.get_bind())
    op.execute("ALTER TABLE studies ALTER COLUMN stage TYPE study_stage USING stage::text::study_stage")
    op.execute("ALTER TABLE studies ALTER COLUMN stage SET DEFAULT 'sample'")
    op.execute("DROP TYPE study_stage_with_compare")
