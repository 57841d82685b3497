"""What sources have answered, to learn from; and what was learnt."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from enrichment.domain.predicting import Model
from enrichment.domain.subjects import Kind
from enrichment.reservoir.documents import document

Models = Mapping[tuple[str, str], Model]
"""By source and question."""

_ANSWERED = text("""
SELECT source, question, kind, subject_id, outcome = 'found' AS found, claimed_at, settled_at
FROM lookups
WHERE state = 'ended' AND outcome IN ('found', 'nothing_found') AND blocking AND claimed_at IS NOT NULL
ORDER BY id DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Answered:
    """A lookup that was answered, with something or with nothing."""

    source: str
    question: str
    kind: Kind
    subject_id: uuid.UUID
    found: bool
    claimed_at: datetime
    settled_at: datetime

    @property
    def name(self) -> str:
        """As features have it."""
        return f"{self.source}.{self.question}"


def answered(connection: Connection, most: int) -> list[Answered]:
    """The newest lookups that were answered."""
    return [
        Answered(row.source, row.question, Kind(row.kind), row.subject_id, row.found, row.claimed_at, row.settled_at)
        for row in connection.execute(_ANSWERED, {"most": most})
    ]


_FORGET = text("DELETE FROM source_models")
_KEEP = text("""
INSERT INTO source_models (source, question, intercept, weights)
SELECT source, question, intercept, weights
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(source text, question text, intercept float8, weights jsonb)
""")


def keep(connection: Connection, models: Models) -> None:
    """These in place of all there were."""
    rows = [
        {"source": source, "question": question, "intercept": model.intercept, "weights": dict(model.weights)}
        for (source, question), model in models.items()
    ]
    connection.execute(_FORGET)
    connection.execute(_KEEP, {"rows": document(rows)})


_MODELS = text("SELECT source, question, intercept, weights FROM source_models")


def models(connection: Connection) -> dict[tuple[str, str], Model]:
    """Those that are in use."""
    return {(row.source, row.question): Model(row.intercept, row.weights) for row in connection.execute(_MODELS)}
