"""Listens, chosen covers, and access tokens that belong to a user."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables and their indexes."""
    op.add_column("access_tokens", sa.Column("user_id", sa.Text(), nullable=True))
    op.create_table(
        "listens",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("listened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("artist_name", sa.Text(), nullable=False),
        sa.Column("track_name", sa.Text(), nullable=False),
        sa.Column("album_name", sa.Text(), nullable=True),
        sa.Column("performer_id", sa.Uuid(), nullable=True),
        sa.Column("album_id", sa.Uuid(), nullable=True),
        sa.Column("track_id", sa.Uuid(), nullable=True),
        sa.Column("temporary_artwork_url", sa.Text(), nullable=True),
        sa.Column("preferred_artwork_url", sa.Text(), nullable=True),
        sa.Column("metadata_status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("origin", sa.Text(), server_default="api", nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "metadata_status IN ('pending', 'in_progress', 'completed', 'partial', 'failed')",
            name=op.f("ck_listens_metadata_status"),
        ),
        sa.ForeignKeyConstraint(["performer_id"], ["performers.id"], name=op.f("fk_listens_performer_id")),
        sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name=op.f("fk_listens_album_id")),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_listens_track_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listens")),
    )
    for column in ("performer_id", "album_id", "track_id"):
        op.create_index(op.f(f"ix_listens_{column}"), "listens", [column])
    op.create_index("uq_listens_play", "listens", ["user_id", "listened_at", "artist_name", "track_name"], unique=True)
    op.create_index(
        "ix_listens_album",
        "listens",
        ["user_id", sa.text("lower(artist_name)"), sa.text("lower(album_name)")],
        postgresql_where=sa.text("album_name IS NOT NULL"),
    )
    op.create_index(
        "ix_listens_open_track",
        "listens",
        ["track_id"],
        postgresql_where=sa.text("metadata_status IN ('pending', 'in_progress')"),
    )
    op.create_index("ix_listens_live", "listens", ["created_at"], postgresql_where=sa.text("live"))
    op.create_index("ix_listens_synced", "listens", ["user_id", "origin", "listened_at"])
    op.create_table(
        "user_artwork_preferences",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("artist_name", sa.Text(), nullable=False),
        sa.Column("album_name", sa.Text(), nullable=False),
        sa.Column("preferred_artwork_url", sa.Text(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_artwork_preferences")),
    )
    op.create_index(
        "uq_user_artwork_preferences_album",
        "user_artwork_preferences",
        ["user_id", sa.text("lower(artist_name)"), sa.text("lower(album_name)")],
        unique=True,
    )


def downgrade() -> None:
    """Without them."""
    op.drop_table("user_artwork_preferences")
    op.drop_table("listens")
    op.drop_column("access_tokens", "user_id")
