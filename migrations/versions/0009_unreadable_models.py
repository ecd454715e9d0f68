"""A column for the reason why workers cannot read a model version."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_versions", sa.Column("problem", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("model_versions", "problem")
