"""Runs the migrations, in a connection handed in by the caller or at LINERNOTES_DATABASE_URL."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, create_engine

from models import Base


def migrate(connection: Connection) -> None:
    """Run them on this connection."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    url = os.environ.get("LINERNOTES_DATABASE_URL")
    if not url:
        raise SystemExit("alembic: set LINERNOTES_DATABASE_URL to the database to migrate")
    with create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1)).connect() as connection:
        migrate(connection)
