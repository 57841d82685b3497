"""`python -m tests.migrations_in_step`: are the migrations in step with the models? Part of `make check`."""

from __future__ import annotations

import sys

import alembic.command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine

from enrichment.bootstrap import ROOT, migrate
from enrichment.embedded import temporary_servers


def main() -> int:
    """Exit code: 0 in step, 1 not."""
    with temporary_servers() as servers:
        url = servers.addresses.database_url
        migrate(url)
        config = Config(str(ROOT / "alembic.ini"))
        engine = create_engine(url)
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            try:
                alembic.command.check(config)
            except CommandError as error:
                print(error, file=sys.stderr)  # noqa: T201 - this is a program
                return 1
        engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
