"""Requests that begin at a later moment, and what is asked of performers that Resident Advisor knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_RA_NEED = """
CASE WHEN coalesce(ra_artist_id, metadata ->> 'ra_artist_id') IS NULL THEN NULL
     ELSE CASE WHEN image_url IS NULL THEN 1
               WHEN coalesce(ra_artist_url, metadata ->> 'ra_artist_url') IS NULL THEN 2
               ELSE 3 END
        + CASE WHEN enriched_at IS NULL AND NOT metadata ? 'enriched_at' THEN 0 ELSE 10 END END
"""


def upgrade() -> None:
    """The moment, and the indexes."""
    op.add_column("enrichment_status", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_enrichment_status_due",
        "enrichment_status",
        ["due_at"],
        postgresql_where=sa.text("status = 'pending' AND due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_performers_ra_artist_url",
        "performers",
        ["ra_artist_url"],
        postgresql_where=sa.text("ra_artist_url IS NOT NULL"),
    )
    op.add_column("performers", sa.Column("ra_need", sa.SmallInteger(), sa.Computed(_RA_NEED, persisted=True)))
    op.create_index(
        "ix_performers_ra_need",
        "performers",
        ["ra_need", "enriched_at", "id"],
        postgresql_where=sa.text("ra_need IS NOT NULL"),
    )


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_performers_ra_need", table_name="performers")
    op.drop_column("performers", "ra_need")
    op.drop_index("ix_performers_ra_artist_url", table_name="performers")
    op.drop_index("ix_enrichment_status_due", table_name="enrichment_status")
    op.drop_column("enrichment_status", "due_at")
