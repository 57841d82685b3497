"""The web console: sessions, passwords, what each minute came to; indexes for its lists and its search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATUS = "ix_enrichment_status_status"


def _token() -> sa.Column[int]:
    return sa.Column("token_id", sa.BigInteger(), nullable=False)


def _of_tokens(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_token_id")
    return sa.ForeignKeyConstraint(["token_id"], ["access_tokens.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    """Tables and indexes."""
    now = sa.text("now()")
    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _token(),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _of_tokens("console_sessions"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_console_sessions")),
    )
    op.create_index(op.f("ix_console_sessions_token_id"), "console_sessions", ["token_id"])
    op.create_table(
        "console_passwords",
        _token(),
        sa.Column("hashed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        _of_tokens("console_passwords"),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_console_passwords")),
    )
    empty = sa.text("'{}'::jsonb")
    op.create_table(
        "minutes",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calls", postgresql.JSONB(), server_default=empty, nullable=False),
        sa.Column("outcomes", postgresql.JSONB(), server_default=empty, nullable=False),
        sa.Column("coverage", postgresql.JSONB(), server_default=empty, nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_minutes")),
    )
    op.create_index("ix_settles_settled_at", "settles", ["settled_at"], postgresql_using="brin")
    op.drop_index(STATUS, "enrichment_status")
    op.create_index(STATUS, "enrichment_status", ["status", "kind", "requested_at", "subject_id"])
    for table in ("albums", "tracks"):
        op.create_index(f"ix_{table}_title_key", table, ["title_key"])


def downgrade() -> None:
    """Without them."""
    for table in ("albums", "tracks"):
        op.drop_index(f"ix_{table}_title_key", table)
    op.drop_index(STATUS, "enrichment_status")
    op.create_index(STATUS, "enrichment_status", ["status", "kind"])
    op.drop_index("ix_settles_settled_at", "settles")
    op.drop_table("minutes")
    op.drop_table("console_passwords")
    op.drop_table("console_sessions")
