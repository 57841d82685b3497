"""Until when a record holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns that may be empty: what has ended before holds from its next request on."""
    op.add_column("enrichment_status", sa.Column("holds_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("enrichment_status", sa.Column("holds_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("enrichment_status", sa.Column("steps", sa.BigInteger(), nullable=True))
    for table in ("performers", "albums"):
        op.add_column(table, sa.Column("passed_on_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Without them."""
    for table in ("albums", "performers"):
        op.drop_column(table, "passed_on_at")
    op.drop_column("enrichment_status", "steps")
    op.drop_column("enrichment_status", "holds_until")
    op.drop_column("enrichment_status", "holds_from")
