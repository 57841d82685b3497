"""Do two credits name the same performers?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from enrichment.domain.matching.names import CLOSE, DOUBTFUL, SHORT, Name, across, foreign, name, similar
from enrichment.domain.text import REMEMBERED, clean

_CREDIT = re.compile(
    r"\s*[(\[]?(?:(?P<role>\b(?:feat(?:uring)?|ft|f/|with|w/|vs|versus|pres(?:ents)?|aka|a\.k\.a)(?:\.|\b|(?<=/)))|[,;/]"
    r"|\s(?:&|\+|and|x|×|et|y|und|con|meets|b2b|·|•)\s)\s*",
    re.IGNORECASE,
)
_NAMESAKE = re.compile(r"\s+\((?:[A-Z]{2,3}|\d{1,2}|Official)\)$")
"""What sites put behind one of several of a name: "(UK)", "(2)"."""
_MANY = 12
TOLD = 0.90
"""One credit names some of the other's performers: guests are often left out."""
LED = 0.80
"""Both name others beside the one they share, and it leads one of them."""
REORDERED = 0.97
"""The same words in another order: "Stan Getz Gilberto" and "Gilberto, Stan Getz"."""
STAGE = 0.88
"""Equal but for "DJ" before one of the names."""
FOREIGN = 0.5
"""The credits share no script: letters cannot tell."""


@dataclass(frozen=True, slots=True)
class _Credit:
    """whole: as one name. people: its pieces. apart: those that a word like "feat." sets apart, so surely names."""

    whole: Name
    people: tuple[Name, ...]
    apart: frozenset[Name]


@lru_cache(REMEMBERED)
def _credit(cleaned: str) -> _Credit:
    if cleaned[-5:].casefold() == ", the":
        cleaned = cleaned[:-5]
    if cleaned[-1:] == ")":
        cleaned = _NAMESAKE.sub("", cleaned) or cleaned
    whole = name(_bare(cleaned))
    pieces = _CREDIT.split(cleaned, maxsplit=_MANY)
    if len(pieces) == 1:
        return _Credit(whole, (whole,), frozenset())
    told = [(name(_bare(piece)), bool(role)) for role, piece in _pieces(pieces) if piece]
    return _Credit(whole, tuple(piece for piece, _ in told), frozenset(piece for piece, apart in told if apart))


def _pieces(pieces: list[str]) -> list[tuple[str, str]]:
    roles, names = ["", *pieces[1::2]], pieces[::2]
    return [(role or "", piece.strip(" ()[]")) for role, piece in zip(roles, names, strict=True)][:_MANY]


def _bare(text: str) -> str:
    """Without a leading "The"; The The keep theirs."""
    start, rest = text[:4].casefold(), text[4:].strip()
    return rest if start == "the " and rest and rest.casefold() != "the" else text


def same_artist(a: str, b: str) -> float:
    """0 to 1: do two credits name the same performer?

    Case, diacritics, "&" and "and", a leading or trailing "The", and the order of several names do not matter; a guest
    whom only one credit names matters little. Names of four characters or fewer and names of symbols must be equal;
    numbers must be equal. 0.5 where the credits share no script, because letters cannot tell then.
    """
    return same_credit(clean(a), clean(b))


@lru_cache(REMEMBERED)
def same_credit(a: str, b: str) -> float:
    """`same_artist` of cleaned credits."""
    left, right = _credit(a), _credit(b)
    whole = similar(left.whole, right.whole)
    if whole == 1.0:
        return 1.0
    found = max(whole, _together(left, right))
    if found < REORDERED and len(_bag(left)) > 1 and _bag(left) == _bag(right):
        return REORDERED
    if found < STAGE and _without_dj(left.whole) == _without_dj(right.whole) != ():
        return STAGE
    return max(FOREIGN, across(left.whole, right.whole)) if not found and foreign(a, b) else found


def _without_dj(whole: Name) -> tuple[str, ...]:
    """The words of a name without "DJ" before them; nothing where too little stays to tell performers apart."""
    kept = whole.words[1:] if whole.words[:1] == ("dj",) else whole.words
    return kept if len("".join(kept)) > SHORT else ()


def _bag(credit: _Credit) -> list[str]:
    return sorted(word for word in credit.whole.words if word != "and")


def _together(left: _Credit, right: _Credit) -> float:
    """How well the people of the shorter credit are found in the longer one."""
    few, many = sorted((left, right), key=lambda credit: len(credit.people))
    if not few.people or len(many.people) == 1:
        return 0.0
    found = _found(few.people, many.people)
    if len(few.people) == len(many.people):
        found = min(found, _found(many.people, few.people))
    if found < CLOSE:
        return LED if max(_lead(left, right), _lead(right, left)) >= 0.95 else 0.0
    if len(few.people) == len(many.people):
        return found
    return found * (DOUBTFUL if _is_piece(few.people, many) else TOLD)


def _is_piece(few: tuple[Name, ...], many: _Credit) -> bool:
    """Of "Earth, Wind & Fire" only the pieces are known here: a lone last one has to be a full name to count."""
    if len(few) > 1 or len(few[0].words) > 1 or similar(few[0], many.people[0]) >= CLOSE:
        return False
    return not any(similar(few[0], piece) >= CLOSE for piece in many.apart)


def _found(some: tuple[Name, ...], others: tuple[Name, ...]) -> float:
    return min(max(similar(one, other) for other in others) for one in some)


def _lead(left: _Credit, right: _Credit) -> float:
    """How well the first named of one credit is found in the other."""
    return max(similar(left.people[0], other) for other in right.people)
