"""Sources keep how they write categories."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

COLUMNS = ("category_separator", "category_list_separator", "category_choice")


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("sources", sa.Column(column, sa.Text(), nullable=True))


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_column("sources", column)
