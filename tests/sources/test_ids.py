"""What an id given by a person may be."""

from __future__ import annotations

import pytest

from enrichment.domain.subjects import FIELDS, Kind
from enrichment.sources.registry import builtin_sources

SOURCES = builtin_sources()
RELEASE_OR_GROUP = [{"musicbrainz_release_id": "x"}, {"musicbrainz_release_group_id": "x"}]


@pytest.mark.parametrize(
    ("source", "kind", "given", "readings"),
    [
        ("deezer", Kind.TRACK, "3135556", [{"deezer_id": "3135556"}]),
        ("spotify", Kind.ALBUM, "x", [{"spotify_id": "x"}]),
        ("discogs", Kind.PERFORMER, "108713", [{"discogs_id": "108713"}]),
        ("discogs", Kind.ALBUM, "4242", [{"discogs_id": "4242"}, {"discogs_id": "m4242"}]),
        ("discogs", Kind.ALBUM, "m4242", [{"discogs_id": "m4242"}]),
        ("musicbrainz", Kind.TRACK, "x", [{"musicbrainz_id": "x"}]),
        ("musicbrainz", Kind.ALBUM, "x", RELEASE_OR_GROUP),
        ("listenbrainz", Kind.ALBUM, "x", RELEASE_OR_GROUP),
        ("coverartarchive", Kind.ALBUM, "x", RELEASE_OR_GROUP),
        ("reccobeats", Kind.TRACK, "x", [{"spotify_id": "x"}]),
        ("acousticbrainz", Kind.TRACK, "x", [{"musicbrainz_id": "x"}]),
        ("wikidata", Kind.PERFORMER, "Q1299", [{"wikidata_id": "Q1299"}]),
        ("residentadvisor", Kind.PERFORMER, "943", [{"ra_artist_id": "943"}]),
    ],
)
def test_an_id_has_these_readings(source: str, kind: Kind, given: str, readings: list[dict[str, str]]) -> None:
    assert list(SOURCES[source].ids(kind, given)) == readings
    assert all(name in FIELDS[kind] for keys in readings for name in keys)
