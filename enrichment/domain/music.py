"""Keys, the Camelot wheel and tempo: the little music theory that the data needs."""

from __future__ import annotations

import re

from enrichment.domain.text import clean

_MINOR = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1, "-flat": -1, "-sharp": 1, " flat": -1, " sharp": 1}

_KEY = re.compile(
    r"(?P<step>[A-G])(?P<sign>#|♯|b|♭|[ -]flat|[ -]sharp)?[ -]*(?P<mode>major|maj|minor|min|moll|dur|m|M)?\.?",
    re.IGNORECASE,
)
_CAMELOT = re.compile(r"0?(?P<hour>[1-9]|1[0-2])(?P<letter>[AB])", re.IGNORECASE)


def key_name(pitch_class: int, mode: int) -> str | None:
    """The key of (9, 0) is "A Minor": pitch class 0 to 11 from C, mode 1 for major and 0 for minor, as Spotify counts.

    None outside of these; -1 is their "not found".
    """
    if pitch_class not in range(12) or mode not in (0, 1):
        return None
    return f"{_MAJOR[pitch_class]} Major" if mode else f"{_MINOR[pitch_class]} Minor"


def read_key(text: str) -> str | None:
    """A key as `key_name` writes it, from "Am", "A min", "g♯ minor", "Abmaj", "8A"; None where it is none.

    A lone letter is major, as on a chord sheet; a lone small "m" is minor, a capital one major.
    """
    plain = clean(text)
    match = _CAMELOT.fullmatch(plain)
    if match:
        return from_camelot(plain)
    match = _KEY.fullmatch(plain)
    if not match:
        return None
    mode = match["mode"] or "M"
    minor = mode == "m" or mode.lower() in ("minor", "min", "moll")
    pitch_class = (_STEPS[match["step"].upper()] + _SIGNS[(match["sign"] or "").lower()]) % 12
    return key_name(pitch_class, 0 if minor else 1)


def camelot(key: str) -> str | None:
    """The place of a key on the Camelot wheel, "8A" for "A Minor"; None where the text is no key.

    A fifth up is one hour on; 8B is C Major and 8A its relative minor.
    """
    name = read_key(key)
    if name is None:
        return None
    minor = name.endswith("Minor")
    pitch_class = (_MINOR if minor else _MAJOR).index(name.split()[0])
    fifths = (pitch_class + (3 if minor else 0)) * 7 % 12
    return f"{(fifths + 7) % 12 + 1}{'A' if minor else 'B'}"


def from_camelot(code: str) -> str | None:
    """The key at a place of the Camelot wheel, "A Minor" for "8A"; None for what is no place on it."""
    match = _CAMELOT.fullmatch(clean(code))
    if not match:
        return None
    minor = match["letter"].upper() == "A"
    major_class = (int(match["hour"]) - 8) * 7 % 12
    return key_name((major_class - 3) % 12 if minor else major_class, 0 if minor else 1)


TEMPO_SLACK = 0.03
"""Two tempi within 3 % are one: analysers differ by that much."""


def same_tempo(a: float, b: float) -> bool:
    """Do two tempi (beats per minute) agree? Half and double do not: which one is meant is a matter of taste."""
    return abs(a - b) <= TEMPO_SLACK * max(abs(a), abs(b))
