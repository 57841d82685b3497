"""Do two titles name the same version of the same song?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA

from enrichment.domain.matching.names import SHORT, Name, across, foreign, name, similar
from enrichment.domain.matching.versions import (
    PLAIN,
    Relation,
    Version,
    is_version_word,
    read_version,
    relation,
    spelled,
)
from enrichment.domain.text import REMEMBERED, clean, split_title

SUBTITLED = 0.92
"""Of titles that are equal but for a subtitle that one of them leaves out: "Rocket Man (I Think It's Going …)"."""
ASIDE = 0.79
"""The same where it is a word or two, which may be whose mix it is: "Song (Sasha)"."""
HALF = 0.95
"""Of a title in two scripts at once and one of its halves: "NAPPA 나빠" and "나빠"."""
ARTICLE = 0.92
"""Of titles that are equal but for a leading article."""
_ARTICLES = frozenset(("the", "a", "an"))
_SOUNDTRACK = re.compile(
    r"\s+-\s+(?:bande originale|musique du film|colonna sonora|banda sonora|(?:original )?soundtrack)\b.*$",
    re.IGNORECASE,
)
_EDITIONS = frozenset(("edition", "deluxe", "expanded", "anniversary", "reissue", "ep"))
_KEY = re.compile(
    r"(?<=\S)\s+(?:-\s+(?:1[0-2]|0?[1-9])[ab](?:/(?:1[0-2]|0?[1-9])[ab])?|(?:-\s+)?\d{2,3}\s?bpm)$", re.IGNORECASE
)
"""The place on the Camelot wheel, or the tempo, that DJs' software appends: " - 8A", " - 8A/7A", " 126 BPM"."""
_KEY_ENDS = frozenset("ABMabm")
_FACTOR: dict[Relation, float] = {"same": 1.0, "mild": 0.95, "open": 0.80, "differ": 0.0}


@dataclass(frozen=True, slots=True)
class Title:
    """whole: with its version. base: without. without_notes: and without subtitles."""

    whole: Name
    base: Name
    without_notes: Name
    version: Version


@lru_cache(REMEMBERED)
def title(cleaned: str) -> Title:
    """The title that a cleaned text is."""
    cleaned = _KEY.sub("", cleaned) if cleaned[-1:] in _KEY_ENDS else cleaned
    cleaned = _SOUNDTRACK.sub("", cleaned) if " - " in cleaned else cleaned
    split = split_title(cleaned)
    if split.notes or split.version:
        split = split_title(spelled(cleaned))
    base = name(split.base)
    bare = split.base
    for note in split.notes:
        bare = re.sub(rf"\s*[(\[{{]{re.escape(note)}[)\]}}]?", "", bare)
    whole = name(f"{split.base} {split.version}") if split.version else base
    return Title(whole, base, name(bare) if bare and bare != split.base else base, read_version(split.version))


def same_base(a: Title, b: Title, aside: float = SUBTITLED) -> float:
    """Similarity of two titles without their versions. A subtitle that only one of them has counts a little; aside:
    how much is left where it is a word or two.
    """
    full = similar(a.base, b.base)
    if full == 1.0:
        return full
    one_has = (a.base == a.without_notes) != (b.base == b.without_notes)
    bare = similar(a.without_notes, b.without_notes) * _subtitled(a, b, aside) if one_has else 0.0
    article = ARTICLE if _without_article(a.base) == _without_article(b.base) else 0.0
    return max(full, bare, article, _shared_script(a.base, b.base))


def _without_article(base: Name) -> tuple[str, ...]:
    return (
        base.words[1:]
        if base.words[:1] and base.words[0] in _ARTICLES and len(base.words) > 1
        else base.words or (base.symbols,)
    )


def _subtitled(a: Title, b: Title, aside: float) -> float:
    if abs(len(a.base.words) - len(b.base.words)) > 2:
        return SUBTITLED
    return SUBTITLED if _EDITIONS.intersection(a.base.words + b.base.words) else aside


def _shared_script(a: Name, b: Name) -> float:
    if a.joined.isascii() and b.joined.isascii():
        return 0.0
    if alike := across(a, b):
        return alike
    for long, short in ((a, b), (b, a)):
        half = tuple(word for word in long.words if not foreign(word, short.joined))
        if any(is_version_word(word) for word in long.words if word not in half):
            return 0.0
        if half and half != long.words and half == short.words:
            return HALF
    return 0.0


def spelled_alike(a: Title, b: Title) -> bool:
    """Word for word the same, whether the version stands in brackets or not."""
    return bool(a.whole.words) and a.whole.words == b.whole.words and a.whole.numbers == b.whole.numbers


def slipped(a: Title, b: Title) -> float:
    """Similarity of two titles that are equal but for a slip in a word or two, the words of their versions included.

    0 where they differ more, or where both words are real ones of versions ("Remixed" and "Remix" are none the less).
    """
    left, right = a.whole, b.whole
    if a.version == b.version or len(left.words) != len(right.words) or left.numbers != right.numbers:
        return 0.0
    pairs = [(one, other) for one, other in zip(left.words, right.words, strict=True) if one != other]
    if len(pairs) > 2 or not all(
        len(one) > SHORT and OSA.normalized_similarity(one, other) >= 0.7 for one, other in pairs
    ):
        return 0.0
    return 0.0 if all(is_version_word(one) and is_version_word(other) for one, other in pairs) else similar(left, right)


def versions(a: Title, b: Title) -> Relation:
    """How the versions of two titles stand to each other."""
    return "same" if a.version is PLAIN and b.version is PLAIN else relation(a.version, b.version)


def same_title(a: str, b: str) -> float:
    """0 to 1: do two titles name the same version of the same song?

    0 where the versions differ (a remix and the original, two remixers, live and studio); a remaster costs 5 %, and a
    version that may be the plain recording under another label (radio edit, mono) 20 %. Guests, origins and packaging
    ("Official Video", "Original Mix") do not matter.
    """
    left, right = title(clean(a)), title(clean(b))
    if spelled_alike(left, right):
        return 1.0
    return same_base(left, right) * _FACTOR[versions(left, right)]
