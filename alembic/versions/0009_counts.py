"""What the fleet has counted, and the levels of its logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Their tables."""
    op.create_table(
        "counts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.ARRAY(sa.TEXT()), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_counts")),
        postgresql_with={"fillfactor": "30"},
    )
    op.create_table(
        "log_levels",
        sa.Column("logger", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("logger", name=op.f("pk_log_levels")),
    )


def downgrade() -> None:
    """Without them."""
    op.drop_table("log_levels")
    op.drop_table("counts")
