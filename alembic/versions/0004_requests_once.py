"""Requests are taken in once, and dead letters can be edited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Request ids, and what a person puts in place of what was asked."""
    op.create_table(
        "requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
    )
    op.create_index("ix_requests_accepted_at", "requests", ["accepted_at"], postgresql_using="brin")
    op.add_column("dead_letters", sa.Column("edited", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("dead_letters", sa.Column("request_id", sa.Text(), nullable=True))
    op.create_index("uq_dead_letters_request_id", "dead_letters", ["request_id"], unique=True)


def downgrade() -> None:
    """Without them."""
    op.drop_index("uq_dead_letters_request_id", table_name="dead_letters")
    op.drop_column("dead_letters", "request_id")
    op.drop_column("dead_letters", "edited")
    op.drop_table("requests")
