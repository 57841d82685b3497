"""Keys, titles and credits, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.domain.text import (
    LONGEST,
    Title,
    main_artist,
    name_key,
    search_text,
    split_artists,
    split_title,
    title_key,
)
from tests.support import is_quick

ONE_NAME = [
    ("Guns N' Roses", "guns n’ roses"),
    ("Nick Cave & The Bad Seeds", "Nick Cave and the Bad Seeds"),
    ("Beatles, The", "The Beatles"),
    ("Dr. Dre", "Dr Dre"),
    ("Earth, Wind & Fire", "Earth Wind and Fire"),
    ("a‐ha", "a-ha"),
    ("Ｄａｆｔ　Ｐｕｎｋ", "Daft Punk"),
    ("Jan Jelinek\u200e", "Jan  Jelinek"),
    ("ⒶⓁⒾⓈⓄⓃ", "Alison"),
    ("Bjo\u0308rk", "Björk"),
    ("ﾏｷｼﾏﾑ", "マキシマム"),
    ("Straße", "STRASSE"),
]
TWO_NAMES = [
    ("Nina", "Niña"),
    ("The Band", "Band"),
    ("The The", "The"),
    ("fun.", "Fun"),
    ("MØ", "Mo"),
    ("!!!", "..."),
    ("+44", "44"),
    ("か", "が"),
    ("Snap", "Snap!"),
]


@pytest.mark.parametrize(("a", "b"), ONE_NAME)
def test_one_performer_has_one_key(a: str, b: str) -> None:
    assert name_key(a) == name_key(b) != ""


@pytest.mark.parametrize(("a", "b"), TWO_NAMES)
def test_two_performers_have_two_keys(a: str, b: str) -> None:
    assert name_key(a) != name_key(b)


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "\x00\x1f"])
def test_a_text_without_a_visible_character_has_no_key(text: str) -> None:
    assert name_key(text) == ""


TITLES = [
    ("Song", Title("Song")),
    ("Take on Me - Kygo Remix", Title("Take on Me", "Kygo Remix")),
    ("Song (feat. A, B & C) [Live]", Title("Song", "Live", ("A", "B", "C"))),
    ("Song ft. A", Title("Song", "", ("A",))),
    ("Song featuring A (Radio Edit)", Title("Song", "Radio Edit", ("A",))),
    ("Homeless (with Ladysmith Black Mambazo)", Title("Homeless", "", ("Ladysmith Black Mambazo",))),
    ("Gimme Danger [2023 Remaster] - Bowie Mix", Title("Gimme Danger", "2023 Remaster / Bowie Mix")),
    ("The Afterlife - Live at Webster Hall - June 2011", Title("The Afterlife", "Live at Webster Hall - June 2011")),
    ("Paranoid - 2012 - Remaster", Title("Paranoid", "2012 / Remaster")),
    ('Happy - From "Despicable Me 2"', Title("Happy", notes=('From "Despicable Me 2"',))),
    ("Track (Original Mix)", Title("Track")),
    ("Track [Official Music Video]", Title("Track")),
    ("Red Wing - Country Melodies Album Version", Title("Red Wing")),
    ("Sally - Remixed Album Version", Title("Sally", "Remixed Album Version")),
    ("Shake It Off (Taylor’s Version)", Title("Shake It Off", "Taylor's Version")),
    ("Shake It Off （Ｌｉｖｅ）", Title("Shake It Off", "Live")),
    ("Brandy (You're a Fine Girl)", Title("Brandy (You're a Fine Girl)", notes=("You're a Fine Girl",))),
    ("(Don't Fear) The Reaper", Title("(Don't Fear) The Reaper")),
    ("(Remix)", Title("(Remix)")),
    ("Live and Let Die", Title("Live and Let Die")),
    ("Remix to Ignition", Title("Remix to Ignition")),
    ("Draft", Title("Draft")),
    ("Left Gift", Title("Left Gift")),
    ("A - B - Live", Title("A - B", "Live")),
    ("Song (Live", Title("Song", "Live")),
    ("Song (", Title("Song")),
    ("刀", Title("刀")),
    ("", Title("")),
]


@pytest.mark.parametrize(("text", "title"), TITLES)
def test_a_title_names_its_version_and_guests(text: str, title: Title) -> None:
    assert split_title(text) == title


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("I`ll String Along With You.", "ill string along with you"),
        ("I’ll String Along With You (feat. Ray Noble)", "ill string along with you"),
        ("CÓ CHẮC YÊU LÀ ĐÂY", "co chac yeu la day"),
        ("Song [Kygo Remix]", "song | kygo remix"),
        ("Song - Kygo Remix", "song | kygo remix"),
        ("Song (Original Mix)", "song"),
        ("Song - 2011 Remaster", "song | 2011 remaster"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("ガ", "ガ"),
        ("÷", "÷"),
        ("!!!", "!!!"),
    ],
)
def test_a_titles_key_keeps_the_version_and_drops_the_guests(text: str, key: str) -> None:
    assert title_key(text) == key


def test_a_voicing_mark_is_a_letter() -> None:
    assert title_key("ガ") != title_key("カ")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Song (feat. A) [Official Video]", "Song"),
        ("Song (Kygo Remix)", "Song Kygo Remix"),
        ("Song - 2011 Remaster", "Song"),
        ("Gimme Danger [2023 Remaster] - Bowie Mix", "Gimme Danger Bowie Mix"),
        ('"Héroes" (single)', "Héroes single"),
        ("???", "???"),
    ],
)
def test_a_search_asks_for_the_name_and_the_version(text: str, query: str) -> None:
    assert search_text(text) == query


@pytest.mark.parametrize(
    ("text", "artists"),
    [
        ("A", [("A", "main")]),
        ("A feat. B", [("A", "main"), ("B", "featured")]),
        ("A ft B & C", [("A", "main"), ("B & C", "featured")]),
        ("A (featuring B)", [("A", "main"), ("B", "featured")]),
        ("A vs. B", [("A", "main"), ("B", "versus")]),
        ("Earth, Wind & Fire", [("Earth, Wind & Fire", "main")]),
        ("Above & Beyond", [("Above & Beyond", "main")]),
        ("Lil Nas X", [("Lil Nas X", "main")]),
        ("Ft. Minor", [("Ft. Minor", "main")]),
        ("", []),
    ],
)
def test_a_credit_is_cut_only_where_it_is_certain(text: str, artists: list[tuple[str, str]]) -> None:
    assert split_artists(text) == artists
    assert main_artist(text) == (artists[0][0] if artists else "")


FUNCTIONS = (name_key, title_key, search_text, main_artist, split_artists, split_title)


@given(st.text(max_size=60))
def test_no_text_raises_and_a_key_is_its_own_key(text: str) -> None:
    for function in FUNCTIONS:
        function(text)
    assert name_key(name_key(text)) == name_key(text)


@pytest.mark.parametrize("unit", ["(", "[(", "a - (b) ", "feat. ", "- live ", "ﷺ", "e\u0301", "x & ", "\ud800", "\x00"])
def test_ten_kilobytes_are_no_trouble(unit: str) -> None:
    def work(attempt: int) -> None:
        text = f"{attempt} {unit * 10_000}"[:10_000]
        for function in FUNCTIONS:
            function(text)

    assert is_quick(work)
    assert len(name_key(unit * 10_000)) <= LONGEST * 2


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("Keyboard Cat - Original Mix - 9A", "Keyboard Cat"),
        ("Brookarest (The Pimps of Joytime Remix) - 9B/7A", "Brookarest"),
        ("Paciencia - 12B", "Paciencia"),
        ("Mix - 13A", "Mix - 13A"),
        ("9A", "9A"),
    ],
)
def test_a_key_behind_a_title_is_no_part_of_it(written: str, base: str) -> None:
    assert split_title(written).base == base
