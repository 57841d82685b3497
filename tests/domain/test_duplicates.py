"""Who may be one, and which of two stays."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enrichment.domain.duplicates import Known, Weight, compare, stays
from enrichment.domain.subjects import Kind

ONE, TWO = frozenset({"spotify"}), frozenset({"musicbrainz", "spotify"})


def performer(name: str, sure: frozenset[str] = TWO, **values: Any) -> Known:
    return Known({"name": name, **values}, {"spotify_id": sure} if "spotify_id" in values else {})


def track(title: str, **values: Any) -> Known:
    return Known({"title": title, "artist_name": "Massive Attack", "isrc": "GBAAA9800322", **values}, {})


@pytest.mark.parametrize(
    ("a", "b", "reasons", "certain"),
    [
        (performer("Nina"), performer("Nina"), None, False),
        (performer("Nina", spotify_id="s"), performer("nina", spotify_id="s"), ["same spotify_id: s"], True),
        (performer("Nina", ONE, spotify_id="s"), performer("Nina", spotify_id="s"), ["same spotify_id: s"], False),
        (performer("Nina", spotify_id="s"), performer("Nena", spotify_id="s"), ["same spotify_id: s"], False),
        (
            performer("Nina", spotify_id="s", musicbrainz_id="a"),
            performer("Nina", spotify_id="s", musicbrainz_id="b"),
            ["same spotify_id: s"],
            False,
        ),
        (performer("Nina", discogs_id="1"), performer("Nina", discogs_id="1"), ["same discogs_id: 1"], False),
        (performer("Diddy"), performer("Puffy", aliases=["DIDDY", 7]), ["'Puffy' is also known as 'Diddy'"], False),
        (performer("Diddy", musicbrainz_id="a"), performer("Puff", aliases=["Diddy"], musicbrainz_id="b"), None, False),
    ],
)
def test_performers(a: Known, b: Known, reasons: list[str] | None, certain: bool) -> None:
    for found in (compare(Kind.PERFORMER, a, b), compare(Kind.PERFORMER, b, a)):
        assert (list(found.reasons) if found else None) == reasons
        assert bool(found and found.certain) is certain


@pytest.mark.parametrize(
    ("a", "b", "proposed"),
    [
        (track("Teardrop", duration_ms=330_000), track("Teardrop", duration_ms=332_900), True),
        (track("Teardrop", duration_ms=330_000), track("Teardrop", duration_ms=333_100), False),
        (track("Teardrop", duration_ms=330_000), track("Teardrop"), False),
        (track("Teardrop", duration_ms=330_000), track("Angel", duration_ms=330_000), True),
        (track("Teardrop", duration_ms=330_000), track("Teardrop (Karaoke Version)", duration_ms=330_000), True),
        (track("Teardrop", duration_ms=330_000), track("Teardrop", duration_ms=330_000, isrc="GBAAA9800323"), False),
    ],
)
def test_tracks(a: Known, b: Known, proposed: bool) -> None:
    found = compare(Kind.TRACK, a, b)

    assert (found is not None) is proposed
    assert found is None or not found.certain


def test_albums_have_identifiers_of_their_own() -> None:
    values = {"title": "Dummy", "artist_name": "Portishead", "musicbrainz_release_group_id": "g"}
    assert compare(Kind.ALBUM, Known(values, {}), Known(values, {})) is None

    found = compare(Kind.ALBUM, *(Known({**values, "barcode": "1"}, {}) for _ in range(2)))

    assert found is not None
    assert (found.shared, found.match.verdict) == ({"barcode": "1"}, "same")


def test_which_of_two_stays() -> None:
    now, ids = datetime(2026, 11, 21, tzinfo=UTC), [uuid.UUID(int=n) for n in range(4)]
    oldest = Weight(ids[3], False, 5, now - timedelta(days=1))
    plain = Weight(ids[0], False, 5, now)
    known = Weight(ids[1], False, 9, now)
    locked = Weight(ids[2], True, 1, now)

    assert stays(plain, oldest)[0] is oldest
    assert stays(oldest, known)[0] is known
    assert stays(known, locked) == stays(locked, known) == (locked, known)
