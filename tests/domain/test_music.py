"""Keys, the Camelot wheel, tempo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.domain.music import camelot, from_camelot, key_name, read_key, same_tempo

# The wheel as it is printed, https://mixedinkey.com/camelot-wheel/ (12B to 11B upwards by fifths).
WHEEL = {
    "1A": "G# Minor",
    "2A": "Eb Minor",
    "3A": "Bb Minor",
    "4A": "F Minor",
    "5A": "C Minor",
    "6A": "G Minor",
    "7A": "D Minor",
    "8A": "A Minor",
    "9A": "E Minor",
    "10A": "B Minor",
    "11A": "F# Minor",
    "12A": "C# Minor",
    "1B": "B Major",
    "2B": "F# Major",
    "3B": "Db Major",
    "4B": "Ab Major",
    "5B": "Eb Major",
    "6B": "Bb Major",
    "7B": "F Major",
    "8B": "C Major",
    "9B": "G Major",
    "10B": "D Major",
    "11B": "A Major",
    "12B": "E Major",
}


@pytest.mark.parametrize(("code", "key"), WHEEL.items())
def test_the_camelot_wheel_turns_both_ways(code: str, key: str) -> None:
    assert camelot(key) == code
    assert from_camelot(code) == key
    assert read_key(code) == key


@pytest.mark.parametrize(
    ("pitch_class", "mode", "name"),
    [(9, 0, "A Minor"), (0, 1, "C Major"), (1, 1, "Db Major"), (1, 0, "C# Minor"), (-1, 0, None), (0, 2, None)],
)
def test_a_key_from_numbers(pitch_class: int, mode: int, name: str | None) -> None:
    assert key_name(pitch_class, mode) == name


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Am", "A Minor"),
        ("a minor", "A Minor"),
        ("A♭ min", "G# Minor"),
        ("G#m", "G# Minor"),
        ("AbM", "Ab Major"),
        ("C", "C Major"),
        ("B-flat major", "Bb Major"),
        ("F sharp minor", "F# Minor"),
        ("Cb", "B Major"),
        ("08a", "A Minor"),
        ("13A", None),
        ("H", None),
        ("atonal", None),
        ("", None),
    ],
)
def test_a_key_in_any_spelling(text: str, key: str | None) -> None:
    assert read_key(text) == key


@pytest.mark.parametrize(
    ("a", "b", "agree"), [(120, 122, True), (120, 123.7, True), (120, 124, False), (87, 174, False), (0, 0, True)]
)
def test_tempi_agree_within_three_percent(a: float, b: float, agree: bool) -> None:
    assert same_tempo(a, b) is agree is same_tempo(b, a)


@given(st.text(max_size=20))
def test_no_text_raises(text: str) -> None:
    key = read_key(text)
    assert camelot(text) == (camelot(key) if key else None)
