"""Schedules with their runs, the warehouse's artists, and what backfills walk along."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KINDS = ("albums", "performers", "tracks")

# Of the pictures, the widest first: one in the middle is the medium one.
_DIM_ARTISTS = """
CREATE VIEW dim_artists AS
SELECT e.artist_id, e.artist_name AS artist, e.performer_id, heard.listen_count, heard.first_listened_at,
    heard.last_listened_at, e.genres, e.popularity, e.follower_count AS followers,
    e.images -> 0 ->> 'url' AS imageurllarge,
    e.images -> (jsonb_array_length(e.images) / 2) ->> 'url' AS imageurlmedium,
    e.images -> -1 ->> 'url' AS imageurlsmall,
    e.external_urls, e.enriched_at
FROM artist_enrichment e CROSS JOIN LATERAL (
    SELECT count(*) AS listen_count, min(listened_at) AS first_listened_at, max(listened_at) AS last_listened_at
    FROM listens WHERE performer_id = e.performer_id
) heard
"""


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _moment(name: str, *, nullable: bool = False, now: bool = False) -> sa.Column[sa.DateTime]:
    default = sa.text("now()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _json(name: str, empty: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(), server_default=sa.text(f"'{empty}'::jsonb"), nullable=False)


def _landed() -> list[sa.Column[object]]:
    genres = postgresql.ARRAY(sa.TEXT())
    return [
        _text("artist_name"),
        sa.Column("genres", genres, server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("popularity", sa.Integer(), nullable=True),
        sa.Column("follower_count", sa.BigInteger(), nullable=True),
        _json("images", "[]"),
        _json("external_urls", "{}"),
        _moment("enriched_at"),
        _moment("loaded_at", now=True),
    ]


def upgrade() -> None:
    """Tables, the view, and the indexes."""
    op.create_table(
        "schedules",
        _text("name"),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _moment("since", now=True),
        _moment("ticked_at", nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "schedule_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        _text("name"),
        _moment("planned_at"),
        _moment("started_at", now=True),
        _moment("ended_at", nullable=True),
        _text("outcome", nullable=True),
        _text("error", nullable=True),
        _json("cursor", "{}"),
        sa.Column("token", sa.Uuid(), nullable=True),
        _moment("lease_until", nullable=True),
        sa.CheckConstraint("outcome IN ('done', 'failed')", name=op.f("ck_schedule_runs_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_runs")),
    )
    op.create_index("uq_schedule_runs_planned", "schedule_runs", ["name", "planned_at"], unique=True)
    op.create_index(
        "uq_schedule_runs_open", "schedule_runs", ["name"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    _create_warehouse()
    for table in KINDS:
        op.create_index(f"ix_{table}_unenriched", table, ["id"], postgresql_where=sa.text("enriched_at IS NULL"))
    for table in ("albums", "performers"):
        where = sa.text("NOT metadata ? 'artwork'")
        op.create_index(f"ix_{table}_pictureless", table, ["id"], postgresql_where=where)
    op.create_index("ix_performers_created_at", "performers", ["created_at"])
    answered = sa.text("state = 'ended'")
    op.create_index("ix_lookups_answered", "lookups", ["outcome", "settled_at"], postgresql_where=answered)


def _create_warehouse() -> None:
    op.create_table(
        "artist_enrichment_raw",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        _text("file"),
        sa.Column("line", sa.Integer(), nullable=False),
        _text("artist_id"),
        *_landed(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artist_enrichment_raw")),
    )
    op.create_index("uq_artist_enrichment_raw_line", "artist_enrichment_raw", ["file", "line"], unique=True)
    loaded = "ix_artist_enrichment_raw_loaded_at"
    op.create_index(loaded, "artist_enrichment_raw", ["loaded_at"], postgresql_using="brin")
    op.create_table(
        "artist_enrichment",
        _text("artist_id"),
        sa.Column("performer_id", sa.Uuid(), nullable=True),
        *_landed(),
        sa.PrimaryKeyConstraint("artist_id", name=op.f("pk_artist_enrichment")),
    )
    op.create_index(op.f("ix_artist_enrichment_performer_id"), "artist_enrichment", ["performer_id"])
    op.create_index("ix_artist_enrichment_enriched_at", "artist_enrichment", ["enriched_at"])
    op.create_index("ix_artist_enrichment_genres", "artist_enrichment", ["genres"], postgresql_using="gin")
    op.execute(_DIM_ARTISTS)


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_lookups_answered", "lookups")
    op.drop_index("ix_performers_created_at", "performers")
    for table in ("albums", "performers"):
        op.drop_index(f"ix_{table}_pictureless", table)
    for table in KINDS:
        op.drop_index(f"ix_{table}_unenriched", table)
    op.execute("DROP VIEW dim_artists")
    for table in ("artist_enrichment", "artist_enrichment_raw", "schedule_runs", "schedules"):
        op.drop_table(table)
