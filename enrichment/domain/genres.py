"""Genres through one vocabulary: whatever a source calls it, the name MusicBrainz has for it.

The vocabulary is `genres.txt`: some two thousand names with the other spellings that sources use, by family. A text is
read in this order, and what none of it knows is no genre and left out: a decade, a nationality, a voice, an opinion.

    the whole text       "Drum n Bass" -> drum and bass; "Rap" -> hip hop; "singer/songwriter" -> singer-songwriter
    its parts            at commas, slashes and the like, and at "and" where it knows both sides of it: "Rock/Pop" -> rock,
                         pop; "Soul & Funk" -> soul, funk
    the longest end      "swedish tropical house" -> tropical house; "german indie" -> indie. Spotify had some 6,000 such
    or else beginning    names, most of them a place or a mood before a genre; "rap ivoire" and "pop urbaine" are the
                         Romance way round
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from enrichment.domain.text import clean, words

ELECTRONIC = "electronic"

_MOST_WORDS = 6
"""No name of a genre is longer; what is longer is a sentence."""
_SENTENCE = frozenset(
    "a about all am any are at best better bring check do dont ever favorite favorites favourite favourites for "
    "get give gods i if im in is it its just kill like love loved makes me more most music my no not of on or own "
    "queen queens really song songs stuff sucks that the this to tracks want we what when who with you your yours".split()
)
"""Words of an opinion or a list ("songs to dance to", "not metal"): what else such a text names is not its genre."""
_MARKS = re.compile(r"\s*[/,;|+•·]\s*|\s+-\s+")


class _Entry(NamedTuple):
    """genre: its name. alone: does this spelling count for a whole text only?"""

    genre: str
    alone: bool


def genre(text: str) -> str | None:
    """The genre's name in the vocabulary, the first one where the text names several; None where it names none."""
    return next(iter(_read(text)), None)


def genres(texts: Iterable[str]) -> list[str]:
    """The names in the vocabulary of all genres that these texts name, in their order, each once."""
    return list(dict.fromkeys(name for text in texts for name in _read(text)))


def family(genre: str) -> str | None:
    """The family of a genre in the vocabulary: "electronic", "hip hop", "rock", …; None for a name outside of it."""
    return _families().get(genre)


def is_electronic(genres: Iterable[str]) -> bool:
    """Are these the genres of electronic music? At least half of those in the vocabulary must be."""
    families = Counter(found for name in genres if (found := family(name)))
    return 0 < families.total() <= 2 * families[ELECTRONIC]


@lru_cache(maxsize=16384)
def _read(text: str) -> tuple[str, ...]:
    cleaned = clean(text)
    found = _vocabulary().get(_key(cleaned))
    return (found.genre,) if found else tuple(dict.fromkeys(_parts(cleaned)))


def _parts(text: str) -> Iterator[str]:
    """Of a text that is no name itself."""
    for part in _MARKS.split(text):
        yield from _joined(words(part))


def _joined(said: tuple[str, ...]) -> Iterator[str]:
    """Of words without marks between them, such as ("soul", "and", "funk"), or ("and", "country") from the end of a list."""
    known = _vocabulary()
    while said[:1] == ("and",):
        said = said[1:]
    sides = [known.get("".join(side)) for side in _at_and(said)]
    if all(sides):
        yield from (side.genre for side in sides if side)
    elif found := _within(said):
        yield found


def _at_and(said: tuple[str, ...]) -> list[tuple[str, ...]]:
    sides: list[tuple[str, ...]] = [()]
    for word in said:
        sides = [*sides, ()] if word == "and" else [*sides[:-1], (*sides[-1], word)]
    return sides


def _within(said: tuple[str, ...]) -> str | None:
    """The longest genre at the end of a longer name, or at its beginning."""
    if len(said) > _MOST_WORDS or not _SENTENCE.isdisjoint(said[:-1]):
        return None
    for length in range(len(said) - 1, 0, -1):
        for some in (said[-length:], said[:length]):
            found = _vocabulary().get("".join(some))
            if found and not found.alone:
                return found.genre
    return None


def _key(text: str) -> str:
    """What the spellings of a name share: "Hip-Hop" and "hip hop". "pop/rock" is not "pop rock"."""
    return "/".join("".join(words(part)) for part in text.split("/"))


def _lines() -> Iterator[tuple[str, list[str]]]:
    """(family, spellings) of the vocabulary's genres."""
    under = ""
    for line in files(__package__).joinpath("genres.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            under = line.strip("[]")
        elif line and not line.startswith("#"):
            yield under, line.split(" | ")


@lru_cache(maxsize=1)
def _vocabulary() -> dict[str, _Entry]:
    """By the keys of all spellings."""
    return {
        _key(spelling): _Entry(spellings[0].lstrip("~"), spelling.startswith("~"))
        for _, spellings in _lines()
        for spelling in spellings
    }


@lru_cache(maxsize=1)
def _families() -> dict[str, str]:
    return {spellings[0].lstrip("~"): under for under, spellings in _lines()}
