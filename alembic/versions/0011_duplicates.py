"""Subjects that may be one, what was merged, and indexes by which they are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SHARED = {
    "performers": ("discogs_id", "deezer_id", "wikidata_id"),
    "albums": ("spotify_id", "discogs_id", "deezer_id", "barcode"),
    "tracks": ("deezer_id",),
}


def upgrade() -> None:
    """Tables and indexes."""
    op.create_table(
        "duplicates",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first", sa.Uuid(), nullable=False),
        sa.Column("second", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="proposed", nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("certain", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("kept", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state IN ('proposed', 'merged', 'rejected')", name=op.f("ck_duplicates_state")),
        sa.CheckConstraint("first < second", name=op.f("ck_duplicates_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicates")),
    )
    op.create_index("uq_duplicates_pair", "duplicates", ["first", "second"], unique=True)
    op.create_index("ix_duplicates_second", "duplicates", ["second"])
    op.create_index("ix_duplicates_state", "duplicates", ["state", "id"])
    op.create_index(
        "ix_duplicates_certain", "duplicates", ["id"], postgresql_where=sa.text("certain AND state = 'proposed'")
    )
    op.create_table(
        "redirects",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("old_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("artist_key", sa.Text(), nullable=True),
        sa.Column("title_key", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("undo", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "old_id", name=op.f("pk_redirects")),
    )
    op.create_index("ix_redirects_old_id", "redirects", ["old_id"])
    op.create_index(
        "ix_redirects_external_id",
        "redirects",
        ["external_id", "kind"],
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index("ix_redirects_names", "redirects", ["artist_key", "title_key", "kind"])
    op.create_index("ix_redirects_subject_id", "redirects", ["subject_id"])
    op.create_index("ix_redirects_merged_at_old_id", "redirects", ["merged_at", "old_id"])
    op.create_table(
        "read_marks",
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("moment", sa.DateTime(timezone=True), server_default=sa.text("'epoch'"), nullable=False),
        sa.Column(
            "after",
            sa.Uuid(),
            server_default=sa.text("'00000000-0000-0000-0000-000000000000'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_read_marks")),
    )
    for table, columns in _SHARED.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.create_index(
        "ix_performers_aliases",
        "performers",
        [sa.text("(metadata -> 'aliases')")],
        postgresql_using="gin",
        postgresql_where=sa.text("metadata ? 'aliases'"),
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index(op.f("ix_batch_items_subject_id"), "batch_items", ["subject_id"])


def downgrade() -> None:
    """Without them."""
    op.drop_index(op.f("ix_batch_items_subject_id"), table_name="batch_items")
    op.drop_index("ix_performers_aliases", table_name="performers")
    for table, columns in _SHARED.items():
        for column in columns:
            op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
    op.drop_table("read_marks")
    op.drop_table("redirects")
    op.drop_table("duplicates")
