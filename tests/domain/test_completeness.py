from __future__ import annotations

import pytest

from enrichment.domain.completeness import WEIGHTS, completeness
from enrichment.domain.subjects import FIELDS, Kind


@pytest.mark.parametrize("kind", Kind)
def test_weights_are_of_its_fields_and_come_to_a_hundred(kind: Kind) -> None:
    assert WEIGHTS[kind].keys() <= FIELDS[kind].keys()
    assert sum(WEIGHTS[kind].values()) == 100


def test_a_performer_has_five_facts_of_a_fifth_each() -> None:
    facts = ("ra_artist_id", "image_url", "ra_artist_url", "country", "country_code")
    known: dict[str, object] = {"name": "Carl Cox", "genres": ["techno"], "popularity": 70}
    scores = [completeness(Kind.PERFORMER, known)]
    for fact in facts:
        known[fact] = "known"
        scores.append(completeness(Kind.PERFORMER, known))
    assert scores == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


def test_what_is_not_known_does_not_count() -> None:
    assert completeness(Kind.TRACK, {"isrc": None, "bpm": 120.0}) == pytest.approx(0.1)
    assert completeness(Kind.ALBUM, {}) == 0
