"""Pictures in their sizes, and albums without cover."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table, and an index."""
    op.create_table(
        "pictures",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.Text(), nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "size", name=op.f("pk_pictures")),
    )
    # What is in it is compressed already.
    op.execute("ALTER TABLE pictures ALTER COLUMN jpeg SET STORAGE EXTERNAL")
    op.create_index("ix_albums_coverless", "albums", ["id"], postgresql_where=sa.text("cover_art_url IS NULL"))


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_albums_coverless", table_name="albums")
    op.drop_table("pictures")
