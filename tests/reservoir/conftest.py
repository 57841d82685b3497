"""Lookups put straight into the reservoir."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Row, text

from enrichment.domain.subjects import Kind
from enrichment.embedded import Servers
from enrichment.reservoir import claims, lookups
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir.claims import Claim
from enrichment.reservoir.lookups import NewLookup
from tests.conftest import emptied

SIZES = {"one": 1, "many": 3}
"""Lookups per call, by question."""


@dataclass
class Reservoir:
    """The lookups of source "s", and a worker that claims them."""

    engine: Engine
    worker: uuid.UUID = field(default_factory=uuid.uuid4)

    def put(self, priority: int = 5, question: str = "one", subject: uuid.UUID | None = None, **more: Any) -> int:
        """A lookup, waiting unless low_priority and batched. Returns its id."""
        subject = subject or uuid.uuid4()
        new = NewLookup("s", question, Kind.TRACK, subject, priority, {"n": 1}, batched=question == "many", **more)
        with self.engine.begin() as connection:
            lookups.insert(connection, [new], 30.0)
        (row,) = self.rows(
            "SELECT id FROM lookups WHERE subject_id = :id AND question = :q AND state <> 'ended'",
            id=subject,
            q=question,
        )
        return int(row.id)

    def claim(self, worker: uuid.UUID | None = None, *, low_end: bool = False) -> list[Claim]:
        """The next batch."""
        with self.engine.begin() as connection:
            return claims.claim(connection, "s", SIZES, worker or self.worker, low_end=low_end)

    def ids(self, *, low_end: bool = False) -> list[int]:
        """The ids of the next batch."""
        return [each.id for each in self.claim(low_end=low_end)]

    def rows(self, query: str, **values: Any) -> Sequence[Row[Any]]:
        """What a query finds."""
        with self.engine.connect() as connection:
            return connection.execute(text(query), values).all()

    def row(self, lookup: int) -> Mapping[str, Any]:
        """One lookup, whole."""
        with self.engine.connect() as connection:
            return dict(
                connection.execute(text("SELECT * FROM lookups WHERE id = :id"), {"id": lookup}).mappings().one()
            )

    def run(self, statement: str, **values: Any) -> None:
        """A change of the database."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def do(self, work: Callable[[Connection], Any]) -> Any:
        """Work in a transaction of its own."""
        with self.engine.begin() as connection:
            return work(connection)


@pytest.fixture
def reservoir(lent_engine: Engine, servers: Servers) -> Reservoir:
    emptied(lent_engine, servers)
    made = Reservoir(lent_engine)
    made.do(lambda connection: fleet_rows.add_sources(connection, ["s"]))
    return made
