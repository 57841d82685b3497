"""How evidence is weighed: versions, lengths, codes, doubts, namesakes; and that no input is too much."""

from __future__ import annotations

import functools
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichment.domain.matching import (
    SAME,
    Performer,
    Side,
    choose,
    choose_performer,
    match,
    same_artist,
    same_title,
    side_of,
    weights,
)
from enrichment.domain.matching.weights import Weight
from tests.support import is_quick

TABLE = {name: weight for name, weight in vars(weights).items() if isinstance(weight, Weight)}
SONG = Side("Artist", "Song", album="Album", duration_ms=215_733)


def test_every_weight_has_its_reason():
    assert len(TABLE) > 25
    for name, weight in TABLE.items():
        assert len(weight.why) > 15, name
        assert 0 < weight.most <= 1, name
        lifted = [getattr(weight, field.name) for field in fields(weight) if field.name.startswith("most_")]
        assert all(not value or value > weight.most for value in lifted), name


def test_reasons_tell_what_they_weigh():
    found = match(SONG, replace(SONG, duration_ms=250_000))
    assert found.reasons == ("same artist (+5)", "same title (+7)", "34 s apart (-6, at most 0.3)", "same album (+2.5)")


# --- names as people write them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("[012] Björk - Jóga [One Little Indian - 202TP7]", "12. Bjork – Joga"),
        ("Depeche Mode - It's No Good (Andrea Parker Mix)", "Depeche Mode - Its No Good (Andrea Parker Remix) [Mute]"),
        ("Above & Beyond pres. OceanLab - Satellite", "OceanLab - Satellite (Original Mix)"),
        ("Chemical Brothers - Block Rockin' Beats", "The Chemical Brothers - Block Rocking Beats"),
        ("Moby - Porcelain - 8A/7A", "Moby - Porcelain"),
        ("DJ Hazard - Kryme Watch", "Hazard - Kryme Watch"),
        ("Chiribim Chiribom - Dudu Fisher", "Dudu Fisher - Chiribim Chiribom"),
        ("Artist - Some Song (Acousitc)", "Artist - Some Song (Acoustic)"),
        ("Artist - Some Song (Orignial Mix)", "Artist - Some Song"),
        ("Artist - Some Song - Jane Remxi", "Artist - Some Song (Jane Remix)"),
        ("Stan Getz, João Gilberto - Desafinado", "Joao Gilberto & Stan Getz - Desafinado"),
        ("Deadmaus - Strobe", "deadmau5 - Strobe"),
        ("Medicine - Cure", "Medicine - The Cure"),
        ("Artist - Some Song (Adam F's Deep Space Mix)", "Artist - Some Song (Adam F Deep Space Mix)"),
        ("Artist - Some Song (Accapella)", "Artist - Some Song [Acapella]"),
        ("Artist - Love + Hate", "Artist - Love And Hate"),
        ("Aztec Mystic a.k.a. DJ Rolando - Jaguar", "DJ Rolando - Jaguar"),
    ],
)
def test_one_recording_in_two_lines(a: str, b: str):
    assert match(side_of({"line": a}), side_of({"line": b})).verdict == "same"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Depeche Mode - It's No Good (Andrea Parker Mix)", "Depeche Mode - It's No Good (Motor Bass Mix)"),
        ("Artist - Some Song", "Artist - Some Song (VIP)"),
        ("Artist - Some Song", "Artist - Some Song (Acousitc)"),
        ("Artist - Some Song", "Artist - Some Song (Sasha)"),
        ("Artist - Some Song (Jane Remix)", "Artist - Some Song (Jane Dub)"),
        ("Artist - Some Song (Jane Remix)", "Artist - Some Song (Jane Club Remix)"),
        ("Artist - Some Song (Jane Remix)", "Artist - Some Song (Remix)"),
        ("Artist - Some Song (Extended Mix)", "Artist - Some Song (Radio Edit)"),
        ("Artist - Some Song", "Artist - Some Song (Radio Edit)"),
        ("Artist - Truly One Rmx Pt1", "Artist - Truly One Rmx Pt2"),
        ("ליעד מאיר - שלוק מהבלו", "ליעד מאיר - שלוק מהבלו Daniel Oren Remix"),
        ("Artist - Untitled", "Artist - Untitled"),
        ("ID - ID", "ID - ID"),
        ("Pryda - ID", "Pryda - Allein"),
    ],
)
def test_another_recording_in_two_lines(a: str, b: str):
    assert match(side_of({"line": a}), side_of({"line": b})).verdict != "same"


@pytest.mark.parametrize("title", ["Style (Taylor's Version)", "Style - Taylor’s Version", "Style (TAYLOR'S VERSION)"])
def test_taylors_version_is_her_own(title: str):
    one, other = Side("Taylor Swift", "Style", "1989", 231_733), Side("Taylor Swift", title, "1989 (TV)", 231_733)
    assert match(one, other).verdict == "different"
    assert match(other, replace(other, title="Style (Taylor's Version)")).verdict == "same"


@pytest.mark.parametrize(
    ("a", "b"),
    [("Ke$ha", "Kesha"), ("P!nk", "Pink"), ("R3HAB", "Rehab"), ("Kaskade (US)", "Kaskade"), ("Joe (2)", "Joe")],
)
def test_names_that_are_only_styled(a: str, b: str):
    assert same_artist(a, b) == same_artist(b, a) >= 0.95


def test_the_composer_before_a_title_is_no_part_of_it():
    one = Side("Ludwig van Beethoven, Alban Berg Quartett", "String Quartet No. 16 in F Major, Op.135: I. Allegretto")
    other = replace(one, title="Beethoven: String Quartet No. 16 in F Major, Op. 135: I. Allegretto")
    assert match(one, other).verdict == "same"


# --- lengths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"title": "Song - Re-Recorded"}, "same"),  # says the compilation, of the very same file
        ({"title": "Song - Live"}, "same"),
        ({"artist": "Sleepy Flutes", "title": "Song"}, "same"),  # production music has many names
        ({"title": "刀"}, "same"),
        ({"title": "Song - Instrumental"}, "different"),  # made of the same session, it is as long
        ({"title": "Song - Kygo Remix"}, "different"),
        ({"title": "Other Tune"}, "different"),
        ({"title": "Song - Karaoke Version"}, "different"),
    ],
)
def test_a_length_equal_to_the_millisecond_on_two_albums_is_nearly_a_fingerprint(change: dict[str, str], verdict: str):
    reissue = replace(SONG, album="Best of the Seventies", **change)
    assert match(SONG, reissue).verdict == verdict
    # A length in whole seconds was typed, and one album's two tracks may be of one length.
    assert match(replace(SONG, duration_ms=215_000), replace(reissue, duration_ms=215_000)).verdict != "same"


def test_a_single_version_as_long_as_the_plain_one_is_the_plain_one():
    single = replace(SONG, title="Song - Single Version")
    assert match(SONG, replace(single, duration_ms=216_000)).verdict == "same"
    assert match(SONG, replace(single, duration_ms=218_000)).verdict == "unsure"
    assert match(SONG, replace(single, duration_ms=None)).verdict == "unsure"
    assert match(replace(SONG, title="Song - Mono"), replace(single, duration_ms=216_000)).verdict != "same"


# --- codes and links -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        Side("Artist", "Song (Live)"),
        Side("Artist", "Song (Remix)"),
        Side("Artist", "Song (Radio Edit)"),
        Side("Artist", "Another Tune"),
        Side("Somebody", "Song"),
        Side("Artist", "Song", duration_ms=240_000),
        Side("Karaoke Stars", "Song"),
        Side("Artist", ""),
    ],
)
def test_an_equal_code_alone_makes_no_match(other: Side):
    assert match(SONG, other).verdict != "same"
    coded = [replace(side, isrc=("USABC1234567",)) for side in (SONG, other)]
    assert match(*coded).verdict != "same"


def test_a_link_to_one_page_is_a_strong_yes_and_two_of_one_source_a_weak_no():
    one = replace(SONG, links=("discogs:1", "deezer:7"))
    sure = match(one, replace(SONG, links=("deezer:7",)))
    weak = match(one, replace(SONG, links=("deezer:8",)))
    assert sure.score > match(SONG, SONG).score
    assert sure.reasons[-2] == "both are deezer:7 (+8)"
    assert weak.verdict == "same"
    assert weak.score == 0.95
    assert match(one, replace(SONG, links=("spotify:8",))) == match(SONG, SONG)


# --- choices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "candidates", "verdict", "index"),
    [
        # the code of another recording; its version differs
        (replace(SONG, isrc=("A",)), [replace(SONG, title="Song - Live", isrc=("A",)), SONG], "chosen", 1),
        # a wrong duration, but the album is the query's, and nothing else fits
        (replace(SONG, duration_ms=300_000), [replace(SONG, title="Song - Live", album="Live"), SONG], "chosen", 1),
        (replace(SONG, duration_ms=300_000), [replace(SONG, album="")], "unsure", None),
        (replace(SONG, duration_ms=240_000), [replace(SONG, album="")], "chosen", 0),
        # two of one name: the album tells
        (Side("Artist", "Song", "Pulse"), [SONG, replace(SONG, album="Pulse", duration_ms=99_000)], "chosen", 1),
        (Side("Artist", "Song"), [SONG, replace(SONG, album="Pulse", duration_ms=99_000)], "unsure", None),
        # a slip in a short name
        (replace(SONG, title="Sonng"), [SONG, replace(SONG, title="Sang", album="Pulse")], "chosen", 0),
        # the artist is not told
        (replace(SONG, artist=""), [replace(SONG, title="Other"), SONG], "chosen", 1),
        # nothing of this name
        (SONG, [replace(SONG, title="Other"), replace(SONG, artist="Somebody")], "none", None),
        # what has clearly more for it is another version
        (
            replace(SONG, album="Live at X", isrc=("A",), duration_ms=224_000),
            [SONG, Side("Artist", "Song - Live", "Live at X", 224_000, ("A",))],
            "unsure",
            None,
        ),
        # of two alike the better known one is first
        (SONG, [replace(SONG, fans=3), replace(SONG, fans=30)], "chosen", 1),
    ],
)
def test_a_choice_weighs_the_candidates_against_each_other(
    query: Side, candidates: list[Side], verdict: str, index: int | None
):
    choice = choose(query, candidates)
    assert (choice.verdict, choice.index) == (verdict, index), choice
    assert index is None or choice.score >= SAME


# --- namesakes -----------------------------------------------------------------------------------------------------

SASHA = Performer("Sasha", titles=("Xpander", "Airdrawndagger"), companions=("John Digweed",), country="GB")


@pytest.mark.parametrize(
    ("candidates", "verdict", "index"),
    [
        ([], "none", None),
        ([Performer("Sascha")], "none", None),
        ([Performer("Somebody")], "none", None),
        ([Performer("Sasha"), Performer("SASHA")], "unsure", None),
        ([Performer("Sasha", fans=5), Performer("Sasha", fans=7)], "unsure", None),
        ([Performer("Sasha", fans=5), Performer("Sasha", fans=700)], "chosen", 1),
        # catalogue and company say more than an audience
        ([Performer("Sasha", fans=5e6), Performer("Sasha", titles=("Xpander (Edit)",), fans=9)], "unsure", None),
        (
            [
                Performer("Sasha", fans=5e6),
                Performer("Sasha", titles=("Xpander",), companions=("Digweed", "john digweed")),
            ],
            "chosen",
            1,
        ),
        ([Performer("Alexander Coe", aliases=("Sasha",), country="GB"), Performer("Sasha", country="DE")], "chosen", 0),
        ([Performer("Sasha", titles=("Intro",)), Performer("Sasha")], "unsure", None),
    ],
)
def test_of_several_performers_of_a_name_context_chooses(candidates: list[Performer], verdict: str, index: int | None):
    choice = choose_performer(SASHA, candidates)
    assert (choice.verdict, choice.index) == (verdict, index), choice


def test_the_nearest_name_goes_before_an_audience():
    asked, slip = Performer("Massive Attack", labels=("Virgin",)), Performer("Massive Atack", fans=5e6)
    same = Performer("Massive Attack", fans=7)
    assert choose_performer(asked, [slip, same]).index == 1
    assert choose_performer(asked, [slip]).index == 0
    assert choose_performer(asked, [replace(slip, labels=("Virgin",)), same]).verdict == "unsure"
    assert [each.index for each in choose_performer(asked, [slip, same, same]).namesakes] == [1, 2, 0]


def test_nobody_is_chosen_whom_a_source_has_as_somebody_else():
    asked = replace(SASHA, links=("musicbrainz:1",))
    assert choose_performer(asked, [Performer("Sasha", links=("musicbrainz:2",))]).verdict == "unsure"
    assert choose_performer(asked, [Performer("Sasha", links=("musicbrainz:1",)), Performer("Sasha")]).index == 0


# --- whatever comes ------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        "Song",
        "the",
        "Live",
        "(Remix)",
        "- Kygo Edit",
        "feat. A",
        "&",
        ",",
        "4.5",
        "II",
        "刀",
        "!!",
        "$a",
        "1:",
        "[",
        "(Remx",
    ]
)
_REPEATED = [
    "(",
    "[a (",
    ")",
    " - ",
    "feat. a ",
    "x & ",
    "가",
    "強",
    "Ж",
    "\u202e",
    "\ud800",
    "e\u0301",
    "\u0301",
    ": I. ",
]
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(_WORDS, max_size=60).map(" ".join),
    st.text("(-[] &x1", max_size=200),
    st.tuples(st.sampled_from(_REPEATED), st.integers(1, 3_000)).map(lambda repeated: repeated[0] * repeated[1]),
)
_DEEP = functools.reduce(lambda inner, _: [inner], range(500), "deep")
VALUES: st.SearchStrategy[Any] = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(TEXTS, TEXTS),
    st.just(_DEEP),
)
NAMES = ("line", "artist", "artists", "title", "album", "duration_ms", "isrc", "year", "label", "links", "fans", "id")
ASKED = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)


@given(ASKED, ASKED)
@settings(max_examples=300, deadline=None)
def test_no_question_raises_or_takes_more_than_ten_milliseconds(a: dict[str, Any], b: dict[str, Any]):
    assert is_quick(lambda _: match(side_of(a), side_of(b)))
    assert is_quick(lambda _: choose(side_of(a), [side_of(b), side_of(a)]))


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), float("nan"), float("inf"), "1e999", "9" * 5_000, [[]], {"a": 1}]
)
def test_numbers_that_are_none_are_not_known(value: Any):
    side = side_of({"artist": "A", "title": "B", "duration_ms": value, "year": value, "fans": value, "isrc": value})
    assert side.duration_ms is None
    assert match(side, side).verdict in ("same", "unsure", "different")


def test_a_side_of_json():
    told = {
        "line": "[01:02] Artist - Song (Jane Remix) [Label - CAT001]",
        "duration_ms": "215000",
        "isrc": ["US-ABC-12-34567", None, 7],
        "year": "1999-03-01",
    }
    side = side_of(told)
    assert (side.artist, side.title, side.label) == ("Artist", "Song (Jane Remix)", "Label")
    assert (side.duration_ms, side.isrc, side.year) == (215_000, ("US-ABC-12-34567", "7"), 1999)
    assert side_of({"artists": ["A", "B"], "isrc": "X", "id": 3}) == Side("A, B", isrc=("X",), id="3")
    assert side_of({"line": "ID - ID"}).unknown
    assert not side_of({"line": "ID - ID", "title": "Found"}).unknown


def test_the_title_of_an_album_may_have_an_edition():
    assert same_title("Disc (Deluxe Edition)", "Disc") >= 0.9
