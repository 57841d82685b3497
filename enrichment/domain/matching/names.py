"""How alike two names are, letter by letter and word by word, whoever or whatever bears them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from anyascii import anyascii
from rapidfuzz.distance import OSA

from enrichment.domain.text import REMEMBERED, clean, fold, words

CLOSE = 0.80
"""Similarity from which a name may be a slip of the pen; below it has other words."""
DOUBTFUL = 0.70
"""Similarity of names that have a word more, or are too short for what they differ by."""
STYLED = 0.96
"""Of names that differ by how they are styled alone: "Ke$ha" and "Kesha", "Two Hearts" and "2 Hearts"."""
SHORT = 4
"""Letters up to which a name has to be equal: one slip makes another name of it ("ano", "anon")."""
SLIP = 0.60
"""Of short names that one letter tells apart: mostly two names, so that all else has to agree."""
_LONG_SLIP = 0.93
"""Similarity of letters from which even a whole word that differs is a slip: "Rene and George(tte) Magritte with …"."""
ROMANIZED = 0.95
"""Of names in two scripts that are equal once both are read in Latin letters: there are several ways to do that."""
_LONGEST_READ = 100
MANY = 40
"""Words looked at in one name."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ROMAN = {
    "i": "1",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "v": "5",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "x": "10",
}
_SURELY_ROMAN = frozenset(("ii", "iii", "iv", "vii", "viii", "ix"))
_COUNTED = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"}
_COUNTED |= {"nine": "9", "ten": "10"}
_PART = {"part": "part", "pt": "part", "pts": "part", "vol": "vol", "volume": "vol", "no": "no", "nr": "no", "op": "op"}
_PART |= {"number": "no"}
_SPOKEN = {"u": "you", "ur": "your", "n": "and", "nite": "night", "tonite": "tonight", "luv": "love"}
_SPOKEN |= {"thru": "through", "til": "till"}
_STOP = frozenset("a an and the of in on to for de la le les el los der die das du il with my".split())  # noqa: SIM905 - readable
_SPELLINGS = frozenset(_SPOKEN)
_COUNTING = frozenset(_PART) | _SURELY_ROMAN
_COUNTS = frozenset(_COUNTED)
_MOVEMENT = re.compile(r"(?<=[:-] )(?:x|ix|i?v|v?i{1,3})(?=\. )", re.IGNORECASE)
"""A movement's number: "Symphony No. 5: I. Allegro" is also written "Symphony No. 5 - 1. Allegro"."""
_KEYS = frozenset((*"abcdefg", "flat", "sharp"))
_DIGIT = re.compile(r"\d")
_ODD = re.compile(r"[$!@0-9]")
_CLIPPED = re.compile(r"(?<=[a-z]{2}in)'(?!\w)")
_STYLE = str.maketrans("$!10345@", "siloeasa")
_STYLED_RE = re.compile(r"[^\W\d_][$!@0-9]|[$!@0-9][^\W\d_]")
_LONGEST_STYLED = 20


class Name(NamedTuple):
    """A name made ready to compare.

    symbols: of a name of symbols or up to two letters, all of it but spaces and end marks, diacritics kept. words:
    folded, part names and counts unified.
    joined: the words without spaces. numbers: what tells names apart, decimals whole ("4.5"). styled: the words with
    "$" for "s" and "two" for "2" read, where there are such; else "".
    """

    symbols: str
    words: tuple[str, ...]
    joined: str
    numbers: tuple[str, ...]
    styled: str = ""


@lru_cache(REMEMBERED)
def name(text: str) -> Name:
    """The name that a cleaned text is."""
    if ". " in text:
        text = _MOVEMENT.sub(lambda roman: _ROMAN[roman[0].lower()], text)
    heard = _heard(text)
    spoken = heard if _COUNTING.isdisjoint(heard) else tuple(_numbered(heard))
    joined = "".join(spoken)
    symbols = "" if len(joined) > 2 else _symbols(text)
    numbers = tuple(sorted(_numbers(text, spoken))) if spoken is not heard or _DIGIT.search(text) else ()
    odd = _ODD.search(text) or not _COUNTS.isdisjoint(spoken)
    return Name(symbols, spoken, joined, numbers, _read_style(text) if odd else "")


def _heard(text: str) -> tuple[str, ...]:
    if " + " in text:
        text = text.replace(" + ", " & ")
    if "'" in text:
        text = _CLIPPED.sub("g", fold(text))
    heard = words(text)
    if "major" in heard:  # a piece "in G" is in G major
        heard = tuple(word for at, word in enumerate(heard) if word != "major" or not at or heard[at - 1] not in _KEYS)
    return heard if _SPELLINGS.isdisjoint(heard) else tuple(_SPOKEN.get(word, word) for word in heard)


def _symbols(text: str) -> str:
    symbols = "".join(text.casefold().split())
    return symbols.rstrip(".!?") or symbols


def _read_style(text: str) -> str:
    read = " ".join(map(_unstyled, text.split()))
    return "".join(words(read)) if read != text else ""


def _unstyled(word: str) -> str:
    if counted := _COUNTED.get(word.casefold()):
        return counted
    return word.translate(_STYLE) if len(word) <= _LONGEST_STYLED and _STYLED_RE.search(word) else word


def _numbered(parts: Sequence[str]) -> list[str]:
    """Part names unified, and numbers in letters as digits: "Pt. II" -> part 2."""
    result = list(parts[:1])
    for before, part in pairwise(parts):
        counted = before in _PART and (_ROMAN.get(part) or _COUNTED.get(part))
        result.append(counted or (_ROMAN[part] if part in _SURELY_ROMAN else part))
    return [
        _PART[part] if part in _PART and at + 1 < len(result) and result[at + 1].isdigit() else part
        for at, part in enumerate(result)
    ]


def _numbers(text: str, spoken: Sequence[str]) -> list[str]:
    """Numbers as they tell names apart: decimals kept whole, which `words` cuts."""
    decimals = [number for number in _NUMBER.findall(fold(text)) if "." in number] if "." in text else []
    return decimals + _NUMBER.findall(" ".join(spoken))


def similar(a: Name, b: Name) -> float:
    """0 to 1: how alike two names are. Below 1 only for what a slip of the pen explains."""
    if not a.words or not b.words:
        return 1.0 if a.symbols == b.symbols and a.symbols else 0.0
    if a.joined == b.joined and a.numbers == b.numbers:
        short = len(a.joined) <= 2 and a.symbols != b.symbols
        return DOUBTFUL if short else 1.0  # "MØ" and "Mo", "+44" and "44"
    if (a.styled or b.styled) and _styled_alike(a, b):
        return STYLED
    if a.numbers != b.numbers:
        return 0.0
    if min(len(a.joined), len(b.joined)) <= SHORT:
        return SLIP if min(len(a.joined), len(b.joined)) > 2 and OSA.distance(a.joined, b.joined) == 1 else 0.0
    letters = OSA.normalized_similarity(a.joined, b.joined, score_cutoff=0.4)
    return min(letters, _agreement(a.words, b.words, letters)) if letters else 0.0


def _styled_alike(a: Name, b: Name) -> bool:
    left, right = a.styled or a.joined, b.styled or b.joined
    return left == right and len(left) > 2


def _agreement(a: tuple[str, ...], b: tuple[str, ...], letters: float) -> float:
    """A cap on similarity by whole words: "Dani California" is not "Californication", however alike the letters."""
    left = [word for word in a[:MANY] if word not in b]
    right = [word for word in b[:MANY] if word not in a]
    if letters >= _LONG_SLIP:
        return 1.0
    strange_left = _strange(left, right)
    strange_right = _strange(right, left)
    if not strange_left and not strange_right:
        return 1.0
    return 0.5 if strange_left and strange_right and letters < 0.9 else DOUBTFUL


def _strange(some: Sequence[str], others: Sequence[str]) -> bool:
    """Is there a word of weight with no misspelling of it on the other side?"""
    return any(
        word not in _STOP and not any(OSA.normalized_similarity(word, other) >= 0.7 for other in others)
        for word in some
    )


_LATIN_END = 0x250


def foreign(a: str, b: str) -> bool:
    """True where two texts share no script, so that letters cannot tell whether they are the same name."""
    if a.isascii() and b.isascii():
        return False
    plain_a, plain_b = _scripts(a), _scripts(b)
    return bool(plain_a and plain_b and not plain_a & plain_b)


@lru_cache(REMEMBERED)
def _scripts(text: str) -> frozenset[str]:
    """Rough scripts: blocks of 256 code points, with the East Asian ones as one. Enough to see that none is shared."""
    return frozenset(_script(ord(char)) for char in text if char.isalpha())


def _script(code: int) -> str:
    if code < _LATIN_END or 0x1E00 <= code < 0x1F00:
        return "latin"
    if 0x2E80 <= code < 0xA000 or 0xF900 <= code < 0xFB00 or code >= 0x20000:
        return "han and kana"
    if 0xAC00 <= code < 0xD7B0 or 0x1100 <= code < 0x1200:
        return "hangul"
    return f"block {code >> 8}"


def across(a: Name, b: Name) -> float:
    """0 to `ROMANIZED`: how alike two names are that share no script, both read in Latin letters: "Кино" and "Kino".

    Letters and syllables are read well enough to say yes; kanji are read as Chinese, so that a no says nothing.
    """
    if max(len(a.joined), len(b.joined)) > _LONGEST_READ or not foreign(a.joined, b.joined):
        return 0.0
    alike = similar(_romanized(a.words), _romanized(b.words))
    return ROMANIZED * alike if alike >= CLOSE else 0.0


@lru_cache(REMEMBERED)
def _romanized(spoken: tuple[str, ...]) -> Name:
    return name(anyascii(" ".join(spoken)))


def known(text: str) -> bool:
    """Does a text hold anything a reader sees?"""
    return bool(text) and bool(clean(text))
