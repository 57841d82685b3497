"""Doubts for people to decide, and what they have rejected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Their tables."""
    op.create_table(
        "reviews",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("candidates", postgresql.JSONB(), nullable=False),
        sa.Column("seen", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("chosen", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("doubt IN ('namesakes', 'shared_id')", name=op.f("ck_reviews_doubt")),
        sa.CheckConstraint("state IN ('open', 'decided')", name=op.f("ck_reviews_state")),
        sa.CheckConstraint("decision IN ('chosen', 'none', 'locked')", name=op.f("ck_reviews_decision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    op.create_index(
        "uq_reviews_subject_id_source_question", "reviews", ["subject_id", "source", "question"], unique=True
    )
    op.create_index("ix_reviews_state_id", "reviews", ["state", "id"])
    op.create_index("ix_reviews_state_source_id", "reviews", ["state", "source", "id"])
    op.create_index("ix_reviews_state_doubt_id", "reviews", ["state", "doubt", "id"])
    op.create_table(
        "rejections",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("rejected_by", sa.Text(), nullable=False),
        sa.Column("rejected_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "field", "value", name=op.f("pk_rejections")),
    )


def downgrade() -> None:
    """Without them."""
    op.drop_table("rejections")
    op.drop_table("reviews")
