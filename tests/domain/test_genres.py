"""Genres through one vocabulary."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.domain.genres import family, genre, genres, is_electronic, spellings

CATALOGUE = Path(__file__).parents[2].parent / "shared" / "data" / "catalogue" / "tracks.jsonl.gz"
NAMES = {spelling.genre for spelling in spellings()}

ONE = {
    # the same genre in several spellings
    "hip hop": "Hip-Hop|hip hop|hiphop|HIP HOP|Rap|Hip-Hop/Rap|Rap/Hip Hop|hip hop music|Hip‐Hop",
    "drum and bass": "Drum & Bass|Drum n Bass|drum'n'bass|DnB|d&b|drum and bass music",
    "r&b": "R&B|RnB|r'n'b|Rhythm & Blues|r & b|christian r&b",
    "synth-pop": "Synthpop|synth pop|Synth-pop",
    "forró": "Forró|forro",
    "rock and roll": "Rock & Roll|Rock 'n' Roll|rock n roll",
    "singer-songwriter": "Singer/Songwriter|Singer & Songwriter|singer-songwriter",
    "electronica": "Electronica",
    "trip hop": "Trip-Hop|Trip Hop",
    # Discogs, Deezer, iTunes, Wikidata, TheAudioDB
    "techno": "Techno|techno music|Techno (Peak Time / Driving)|german techno",
    "progressive rock": "Prog Rock|progressive rock music",
    "psytrance": "Psy-Trance",
    "turntablism": "Cut-up/DJ",
    "soundtrack": "Stage & Screen|Films/Games|film score",
    "world": "World|Worldwide|World Music|Brazilian Music",
    "alternative rock": "Alternative|Alternative Rock|alt-rock",
    "indie rock": "Indie Rock|finnish indie rock",
    "nwobhm": "New Wave of British Heavy Metal",
    # longer names: their end, else their beginning
    "tropical house": "swedish tropical house|deep tropical house",
    "indie pop": "swedish indie pop|german indie pop",
    "k-pop": "k-pop girl group|K-Pop",
    "latin": "latin viral",
    "pop": "2010s pop|antiviral pop|pop nacional",
    "electro house": "progressive electro house",
}
SEVERAL = [
    ("Rock/Pop", ["rock", "pop"]),
    ("Pop/Rock", ["pop", "rock"]),
    ("Pop Rock", ["pop rock"]),
    ("R&B/Soul", ["r&b", "soul"]),
    ("Folk, World, & Country", ["folk", "world", "country"]),
    ("Funk / Soul", ["funk", "soul"]),
    ("Soul & Funk", ["soul", "funk"]),
    ("Rock y Alternativo", ["rock", "alternative rock"]),
    ("Chill Out/Trip-Hop/Lounge", ["chillout", "trip hop", "lounge"]),
    ("Jungle/Drum'n'bass", ["jungle", "drum and bass"]),
    ("Techno; House | Techno", ["techno", "house"]),
    ("Indie Dance / Nu Disco", ["alternative dance", "nu disco"]),
    ("Electronic / Band", ["electronic"]),
]
NONE = (
    "seen live|female vocalists|male vocalist|90s|1994|00s|british|German|swedish|USA|albums i own|favorites|awesome|"
    "spotify|under 2000 listeners|songs to dance to|not pop|my favourite metal|to radiohead stop ruining can|radiohead|"
    "guitar|beautiful voices|love songs|party|a|1||Music|&|and|/|!!!|\x00|\ud800|עברי|karaoke|please don't use this|"
    "i was at home listening to indie rock|best of pop|type=church|permanent vacation wave|drum|hip"
)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in ONE.items() for text in texts.split("|")])
def test_one_genre(name: str, text: str) -> None:
    assert (genre(text), genres([text])) == (name, [name])


@pytest.mark.parametrize(("text", "names"), SEVERAL)
def test_a_text_with_several(text: str, names: list[str]) -> None:
    assert (genre(text), genres([text])) == (names[0], names)


@pytest.mark.parametrize("text", NONE.split("|"))
def test_what_is_no_genre(text: str) -> None:
    assert (genre(text), genres([text])) == (None, [])


def test_each_once_in_their_order() -> None:
    assert genres(["seen live", "Techno", "Rock/Pop", "techno", "Pop", "dnb", "Drum n Bass"]) == [
        *("techno", "rock", "pop"),
        "drum and bass",
    ]


def test_the_vocabulary_is_sound() -> None:
    """Every spelling means one genre, and each name of the vocabulary stands for itself."""
    assert len(NAMES) > 2000
    meant = {spelling.text: genres([spelling.text]) for spelling in spellings()}
    assert {text for text, names in meant.items() if len(names) != 1} == set()
    assert [(each.text, each.genre) for each in spellings() if meant[each.text] != [each.genre]] == []
    assert [text for text, often in Counter(each.text for each in spellings()).items() if often > 1] == []
    assert not [name for name in NAMES if name != name.lower().strip() or not family(name)]


@pytest.mark.parametrize(
    ("names", "electronic"),
    [
        (["techno"], True),
        (["techno", "rock"], True),
        (["house", "deep house", "pop"], True),
        (["electronic", "rock", "indie rock"], False),
        (["pop"], False),
        (["unheard of", "techno"], True),
        (["unheard of"], False),
        ([], False),
    ],
)
def test_electronic_music(names: list[str], electronic: bool) -> None:
    assert is_electronic(names) is electronic


def test_families() -> None:
    said = {name: family(name) for name in ("dub techno", "gangsta rap", "shoegaze", "djent", "cumbia", "Techno", "x")}
    assert said == {
        "dub techno": "electronic",
        "gangsta rap": "hip hop",
        "shoegaze": "rock",
        "djent": "metal",
        "cumbia": "latin",
        "Techno": None,
        "x": None,
    }


@pytest.mark.skipif(not CATALOGUE.exists(), reason="the shared data is not here")
def test_genres_of_real_tracks() -> None:
    """Spotify's: of 607 different names and 40,000 uses, hardly one means nothing to us."""
    with gzip.open(CATALOGUE, "rt", encoding="utf-8") as lines:
        used = Counter(name for line in lines for name in json.loads(line).get("genres", ()))
    unknown = {name: often for name, often in used.items() if not genres([name])}
    assert len(unknown) <= 0.01 * len(used)
    assert sum(unknown.values()) <= 0.001 * used.total()


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from([*sorted(NAMES), "/", "&", "and", "music"]), max_size=9).map(" ".join)
)
def test_whatever_the_text_the_names_are_in_the_vocabulary(text: str) -> None:
    names = genres([text])
    assert set(names) <= NAMES
    assert genres(names) == names
    assert genre(text) == (names[0] if names else None)


@given(st.sampled_from(sorted(NAMES)), st.sampled_from([str.upper, str.title, lambda name: name.replace(" ", "-")]))
def test_case_and_hyphens_make_no_difference(name: str, written: object) -> None:
    assert callable(written)
    assert genre(written(name)) == name
