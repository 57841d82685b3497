"""What goes to PostgreSQL as JSON, and comes back."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from enrichment.reservoir.documents import document


class Colour(StrEnum):
    """One that is text."""

    RED = "red"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([{"a": 1, "b": [None, True, 0.1, "é"]}], [{"a": 1, "b": [None, True, 0.1, "é"]}]),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime(2026, 11, 22, 15, 30, tzinfo=UTC), "2026-11-22T15:30:00+00:00"),
        ([UUID(int=7), 2**70], ["00000000-0000-0000-0000-000000000007", 2**70]),
        ([datetime(2026, 11, 22, tzinfo=UTC), {1: 2}], ["2026-11-22T00:00:00+00:00", {"1": 2}]),
        (Colour.RED, "red"),
        (2**64 * 3, 2**64 * 3),
        ("\ud800", "\ud800"),
        (math.nan, None),
    ],
)
def test_as_json(value: object, told: object) -> None:
    assert json.loads(document(value)) == told


def test_what_json_has_no_type_for() -> None:
    with pytest.raises(TypeError, match="set is nothing that JSON can tell"):
        document({1, 2})
    assert document({1}, lambda _: "a set") == '"a set"'


def test_there_and_back(engine: Engine) -> None:
    value = {"names": ["Björk", "\u2028"], "n": 2**53, "x": 0.1, "deep": {"a": [[], {}]}}
    with engine.connect() as connection:
        query = text("SELECT CAST(:row AS jsonb), json_build_array(1.5, now())")
        back, row = connection.execute(query, {"row": document(value)}).one()
    assert back == value
    assert datetime.fromisoformat(row[1]).tzinfo is not None
