"""What the sources stated becomes one record, explained, whatever the order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.domain.findings import Statement
from enrichment.domain.merging import MOST_GENRES, merge, plain
from enrichment.domain.subjects import FIELDS, Kind

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _says(
    source: str, value: Any, confidence: float = 0.8, *, field: str, age: float = 0, locked: bool = False
) -> Statement:
    return Statement(field, value, confidence, source, NOW - timedelta(days=age), locked=locked)


def _track(field: str, *said: tuple[Any, ...]) -> Any:
    """The merged field of a track, from (source, value, confidence, age in days)."""
    statements = [
        _says(source, value, confidence, field=field, age=age[0] if age else 0)
        for source, value, confidence, *age in said
    ]
    return merge(Kind.TRACK, statements)[field]


@pytest.mark.parametrize(
    ("said", "value", "source"),
    [
        ([("deezer", "A", 0.7), ("spotify", "B", 0.9)], "B", "spotify"),
        # as sure: the newer one, then by the source's name
        ([("deezer", "A", 0.8, 2), ("spotify", "B", 0.8, 1)], "B", "spotify"),
        ([("spotify", "B", 0.8), ("deezer", "A", 0.8)], "A", "deezer"),
        # two witnesses are surer than one: 1 - 0.3 x 0.3 = 0.91
        ([("deezer", "A", 0.7), ("itunes", "a", 0.7, 1), ("spotify", "B", 0.9)], "A", "deezer"),
        # but who only repeats another is no second witness
        ([("musicbrainz", "A", 0.7), ("listenbrainz", "A", 0.7), ("spotify", "B", 0.9)], "B", "spotify"),
        # a source's last word counts
        ([("deezer", "A", 0.9, 5), ("deezer", "B", 0.6, 1)], "B", "deezer"),
    ],
)
def test_the_surest_value_wins(said: list[tuple[Any, ...]], value: str, source: str) -> None:
    merged = _track("label", *said)
    assert (merged.value, merged.source) == (value, source)


def test_agreement_raises_confidence_and_is_explained() -> None:
    merged = _track("isrc", ("deezer", "X", 0.7), ("spotify", "X", 0.8), ("itunes", "Y", 0.5))
    assert merged.confidence == pytest.approx(0.94)
    assert merged.reason == "also said by deezer"
    assert [(other.source, other.value) for other in merged.others] == [("itunes", "Y")]


@pytest.mark.parametrize("value", ["mine", "B"])
def test_a_persons_lock_always_wins(value: str) -> None:
    statements = [
        _says("person", value, 0.1, field="label", age=100, locked=True),
        _says("deezer", "B", 1.0, field="label"),
        _says("spotify", "B", 1.0, field="label"),
    ]
    merged = merge(Kind.TRACK, statements)["label"]
    assert (merged.value, merged.source, merged.reason) == (value, "person", "locked by a person")


def test_a_lock_holds_for_lists_maps_and_what_is_derived_too() -> None:
    record = plain(
        merge(
            Kind.TRACK,
            [
                _says("person", ["techno"], field="genres", locked=True),
                _says("deezer", ["house"], field="genres"),
                _says("person", {"deezer": "mine"}, field="external_urls", locked=True),
                _says("deezer", {"deezer": "d"}, field="external_urls"),
                _says("person", "1A", field="camelot", locked=True),
                _says("deezer", "C Major", field="key"),
            ],
        )
    )
    assert record == {
        "genres": ["techno"],
        "external_urls": {"deezer": "mine"},
        "camelot": "1A",
        "key": "C Major",
    }


@pytest.mark.parametrize(
    ("field", "said", "value"),
    [
        ("duration_ms", [("deezer", 200_000, 0.6), ("spotify", 201_900, 0.6), ("lastfm", 180_000, 0.8)], 200_000),
        ("release_date", [("deezer", "2001", 0.9), ("spotify", "2001-05-03", 0.8)], "2001-05-03"),
        ("release_date", [("deezer", "2001", 0.9), ("spotify", "1999-05-03", 0.8)], "2001"),
        (
            "key",
            [("reccobeats", "Am", 0.6), ("acousticbrainz", "A Minor", 0.6), ("spotify", "C Major", 0.8)],
            "A Minor",
        ),
        ("explicit", [("deezer", False, 0.9), ("spotify", True, 0.8)], False),
    ],
)
def test_what_agrees_depends_on_the_field(field: str, said: list[tuple[Any, ...]], value: Any) -> None:
    assert _track(field, *said).value == value


def test_other_tempi_are_kept_beside_the_chosen_one() -> None:
    said = [
        _says("reccobeats", 174.0, 0.9, field="bpm"),
        _says("acousticbrainz", 87.1, 0.6, field="bpm"),
        _says("deezer", 87.0, 0.7, field="bpm"),
        _says("spotify", 173.0, 0.5, field="bpm"),
        _says("lastfm", 130.0, 0.2, field="bpm"),
    ]
    record = plain(merge(Kind.TRACK, said))
    assert record == {"bpm": 174.0, "bpm_alternatives": [87.0, 130.0]}
    assert "bpm_alternatives" not in merge(Kind.TRACK, said[:1])


@pytest.mark.parametrize(
    ("field", "stated", "record"),
    [
        ("key", "A Minor", {"key": "A Minor", "camelot": "8A"}),
        ("camelot", "8A", {"key": "A Minor", "camelot": "8A"}),
        ("key", "atonal", {"key": "atonal"}),
    ],
)
def test_key_and_camelot_follow_from_each_other(field: str, stated: str, record: dict[str, str]) -> None:
    assert plain(merge(Kind.TRACK, [_says("reccobeats", stated, field=field)])) == record


def test_genres_are_united_by_weight() -> None:
    merged = _track(
        "genres", ("lastfm", ["Hip Hop", "Jazz"], 0.5), ("deezer", ["Rock"], 0.6), ("musicbrainz", ["hip-hop"], 0.4)
    )
    assert merged.value == ["hip hop", "rock", "jazz"]
    assert merged.reason == "united from deezer, lastfm, musicbrainz"
    many = _track("genres", ("lastfm", [f"genre {letter}" for letter in "abcdefghijklmn"], 0.5))
    assert many.value == [f"genre {letter}" for letter in "abcdefghijklmn"[:MOST_GENRES]]


def test_aliases_and_images_are_united() -> None:
    small, large = {"url": "s", "width": 100, "height": 100}, {"url": "l", "width": 900, "height": 900}
    bare = {"url": "b"}
    statements = [
        _says("spotify", [small, {"url": "l"}], 0.6, field="images"),
        _says("deezer", [bare, large], 0.9, field="images"),
        _says("spotify", ["BJORK", "Björk"], 0.6, field="aliases"),
        _says("musicbrainz", ["björk", "Björk Guðmundsdóttir"], 0.9, field="aliases"),
    ]
    record = plain(merge(Kind.PERFORMER, statements))
    assert record["images"] == [large, small, bare]
    assert record["aliases"] == ["björk", "Björk Guðmundsdóttir", "BJORK"]


def test_a_list_with_an_order_is_one_sources_own() -> None:
    short, long = [{"title": "1"}], [{"title": "1"}, {"title": "2"}]
    said = [
        _says("deezer", short, 0.9, field="tracklist"),
        _says("spotify", long, 0.9, field="tracklist"),
        _says("lastfm", [*long, {"title": "3"}], 0.5, field="tracklist"),
    ]
    assert plain(merge(Kind.ALBUM, said)) == {"tracklist": long}


def test_maps_are_merged_key_by_key_but_a_picture_is_one_whole() -> None:
    statements = [
        _says("deezer", {"deezer": "d", "homepage": "wrong"}, 0.5, field="external_urls"),
        _says("musicbrainz", {"homepage": "right", "discogs": "x"}, 0.9, field="external_urls"),
        _says("artwork", {"url": "a", "width": 10}, 0.9, field="artwork"),
        _says("older", {"url": "b", "height": 20}, 0.5, field="artwork"),
    ]
    assert plain(merge(Kind.PERFORMER, statements)) == {
        "external_urls": {"deezer": "d", "discogs": "x", "homepage": "right"},
        "artwork": {"url": "a", "width": 10},
    }


def test_what_is_no_field_of_the_kind_or_says_nothing_is_left_out() -> None:
    statements = [
        _says("deezer", 5, field="followers"),
        _says("deezer", [], field="genres"),
        _says("deezer", {}, field="external_urls"),
        _says("deezer", "fast", field="bpm"),
        _says("deezer", "\x00", field="label"),
    ]
    assert merge(Kind.TRACK, statements) == {}


# --- properties ----------------------------------------------------------------------------------------------------

_SCALARS = st.one_of(st.sampled_from(["A", "a", "Am", "8A", "2001", "2001-05", ""]), st.integers(1, 400), st.booleans())
_NAMES = st.sampled_from(["Hip Hop", "hip-hop", "house", "R&B", "", "!!!"])
_IMAGES = st.fixed_dictionaries(
    {"url": st.sampled_from("abc")}, optional={"width": st.integers(1, 9), "height": st.just(1)}
)
_VALUES = st.one_of(
    _SCALARS,
    st.floats(60, 200),
    st.lists(_NAMES | _IMAGES | st.integers(0, 3), max_size=4),
    st.dictionaries(st.sampled_from(["x", "y"]), _SCALARS, max_size=2),
)


@st.composite
def _statements(draw: st.DrawFn) -> tuple[Kind, list[Statement], list[Statement]]:
    """A kind, statements about it, and the same in another order."""
    kind = draw(st.sampled_from(Kind))
    one = st.builds(
        Statement,
        field=st.sampled_from([*FIELDS[kind], "nonsense"]),
        value=_VALUES,
        confidence=st.sampled_from([0.0, 0.5, 0.7, 0.7, 0.9, 1.0]),
        source=st.sampled_from(["deezer", "spotify", "musicbrainz", "listenbrainz", "person"]),
        stated_at=st.sampled_from([NOW, NOW - timedelta(days=1)]),
        locked=st.sampled_from([False, False, False, True]),
    )
    stated = draw(st.lists(one, max_size=12))
    return kind, stated, draw(st.permutations(stated))


@given(_statements())
def test_the_order_of_the_statements_does_not_matter(drawn: tuple[Kind, list[Statement], list[Statement]]) -> None:
    kind, stated, shuffled = drawn
    record = merge(kind, stated)
    assert record == merge(kind, shuffled)
    assert list(record) == list(merge(kind, shuffled))
    assert set(record) <= set(FIELDS[kind])
    assert all(0 <= merged.confidence <= 1 for merged in record.values())
