"""How complete a subject's record is: the weights of the facts that are known, of all weights."""

from __future__ import annotations

from collections.abc import Mapping

from enrichment.domain.subjects import Kind

WEIGHTS: Mapping[Kind, Mapping[str, int]] = {
    Kind.PERFORMER: {
        "ra_artist_id": 20,
        "image_url": 20,
        "ra_artist_url": 20,
        "country": 20,
        "country_code": 20,
    },
    Kind.TRACK: {
        "isrc": 15,
        "spotify_id": 15,
        "artwork_url": 15,
        "musicbrainz_id": 10,
        "bpm": 10,
        "key": 10,
        "genres": 10,
        "duration_ms": 5,
        "release_date": 5,
        "label": 5,
    },
    Kind.ALBUM: {
        "cover_art_url": 25,
        "musicbrainz_release_id": 20,
        "release_date": 20,
        "label": 15,
        "genres": 10,
        "barcode": 10,
    },
}
"""In percent. A performer is as complete as an event of Resident Advisor can make it."""


def completeness(kind: Kind, known: Mapping[str, object]) -> float:
    """The completeness score, 0 to 1."""
    return sum(weight for name, weight in WEIGHTS[kind].items() if known.get(name) is not None) / 100
