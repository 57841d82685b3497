from __future__ import annotations

from typing import Any

import pytest

from enrichment.domain.matching import Performer
from enrichment.domain.outcomes import Answer, Outcome
from enrichment.domain.subjects import Kind
from enrichment.sources import links
from enrichment.sources.countries import code_of, name_of
from enrichment.sources.reading import (
    Told,
    date,
    fields_of,
    genres,
    is_mbid,
    isrc,
    milliseconds,
    people,
    pick_performer,
    whole,
)


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("1994-08-22", "1994-08-22"),
        ("1994-08", "1994-08"),
        ("1994", "1994"),
        (1994, "1994"),
        ("1999-03-00", "1999-03"),
        ("1999-00-00", "1999"),
        ("0000-00-00", None),
        ("2005-03-01T08:00:00Z", "2005-03-01"),
        ("August 1994", None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_dates(given: Any, known: str | None) -> None:
    assert date(given) == known


def test_numbers_and_codes() -> None:
    assert [whole(value) for value in ("238000", 238000.4, None, "x", [], True, float("inf"))] == [
        238000,
        238000,
        0,
        0,
        0,
        0,
        0,
    ]
    assert milliseconds("224", unit=1000) == 224_000
    assert milliseconds(0) is None
    assert isrc("gb-aaa-94-00119") == "GBAAA9400119"
    assert isrc("GBAAA940011") is None
    assert is_mbid("76df3287-6cda-33eb-8e9a-044b5e15ffdd")
    assert not is_mbid("76df3287-6cda-33eb-8e9a-044b5e15ffdd/../x")


def test_roles() -> None:
    credit = [("A", " & "), ("B", " feat. "), ("C", ", "), ("D", "")]
    assert [person["role"] for person in people(credit)] == ["main", "main", "featured", "featured"]


def test_told_keeps_the_first_word_and_weighs_it() -> None:
    told = Told(
        Kind.TRACK, {"artist_name": "A feat. B"}, {"": 0.5, "isrc": 0.8, "album.title": 0.4}, match=0.5, reason="why"
    )
    told.tell(isrc="X", title="", duration_ms="238000", bpm="fast", explicit="yes", nonsense=1)
    told.tell(isrc="Y", factor=0.5)
    told.tell(Kind.ALBUM, title="T")
    found = {(finding.about, finding.field): (finding.value, finding.confidence) for finding in told.answer().findings}
    assert found == {
        (None, "isrc"): ("X", 0.4),
        (None, "duration_ms"): (238000, 0.25),
        (Kind.ALBUM, "title"): ("T", 0.2),
    }
    assert told.by_performer("A")
    assert not told.by_performer("B")
    assert not told.by_performer("")


def test_unknown_fields_cannot_be_declared() -> None:
    assert fields_of(Kind.TRACK, "isrc", "album.title") == {"isrc", "album.title"}
    with pytest.raises(ValueError, match=r"album\.isrc"):
        fields_of(Kind.TRACK, "album.isrc")


def test_of_one_name_the_best_known_by_far() -> None:
    def ask(name: str, *fans: float) -> Answer:
        hits = [Performer("Nirvana", f"id-{n}", fans=each) for n, each in enumerate(fans)]
        return pick_performer({"name": name}, [*hits, Performer("Nirvana Tribute Band", "t", fans=99999)], tell)

    def tell(index: int, match: float, reason: str) -> Told:
        told = Told(Kind.PERFORMER, {}, {"": 0.9}, match=match, reason=reason)
        told.tell(deezer_id=f"id-{index}")
        return told

    (found,) = ask("Nirvana", 5, 900).findings
    assert (found.value, found.confidence) == ("id-1", 0.877)
    unsure = ask("Nirvana", 500, 900)
    assert (unsure.outcome, unsure.note) == (Outcome.NOTHING_FOUND, "2 performers of this name")
    assert [(each.id, each.score, each.findings[0].confidence) for each in unsure.candidates] == [
        ("id-0", 0.941, 0.9),
        ("id-1", 0.941, 0.9),
    ]
    assert ask("Nobody", 500, 900) == Answer.nothing("none among 3 hits: nobody of this name")
    assert pick_performer({"name": "Nobody"}, [], tell) == Answer.nothing("no hits")


@pytest.mark.parametrize(
    ("url", "relation", "kind"),
    [
        ("https://open.spotify.com/artist/6liAMWkVf5LH7YR9yfFy1Y", "free streaming", "spotify"),
        ("https://portishead.bandcamp.com/", "bandcamp", "bandcamp"),
        ("https://de-de.facebook.com/x", "social network", "facebook"),
        ("http://www.portishead.co.uk/", "official homepage", "homepage"),
        ("https://notspotify.com.example.org/", "", ""),
        ("https://netflix.com/x", "", ""),
        ("not a link", "", ""),
        ("", "official homepage", "homepage"),
    ],
)
def test_links(url: str, relation: str, kind: str) -> None:
    assert links.kind_of(url, relation) == kind


def test_ids_in_links() -> None:
    urls = [
        "https://open.spotify.com/intl-de/artist/6liAMWkVf5LH7YR9yfFy1Y",
        "https://www.deezer.com/artist/1069",
        "https://www.deezer.com/artist/2",
        "https://www.discogs.com/artist/3857-Portishead",
        "https://www.wikidata.org/wiki/Q191352",
    ]
    assert links.ids_in(Kind.PERFORMER, urls) == {
        "spotify_id": "6liAMWkVf5LH7YR9yfFy1Y",
        "deezer_id": "1069",
        "discogs_id": "3857",
        "wikidata_id": "Q191352",
    }
    assert links.ids_in(Kind.ALBUM, urls) == {}


def test_countries() -> None:
    assert (name_of("gb"), code_of("united kingdom"), code_of("USA")) == ("United Kingdom", "GB", "US")
    assert (name_of("XW"), code_of("Bristol"), code_of("")) == ("", "", "")
    assert code_of(name_of("CI")) == "CI"


def test_genres_in_the_one_vocabulary() -> None:
    assert genres(["Trip-Hop", "Otherworldcore", None, "Rock/Pop"]) == ["trip hop", "rock", "pop"]
    assert genres(["Otherworldcore", "", "otherworldcore"]) == ["otherworldcore"]
    assert genres(["seen live", "90s"], tags=True) == []
