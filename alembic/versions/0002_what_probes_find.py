"""What probes find out about sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Options found, and when to look again."""
    found = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("source_states", sa.Column("found", found, server_default=sa.text("'{}'::jsonb"), nullable=False))
    op.add_column("source_states", sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Without them."""
    op.drop_column("source_states", "probe_at")
    op.drop_column("source_states", "found")
