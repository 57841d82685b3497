"""Genres through one vocabulary: whatever a source calls it, the name MusicBrainz has for it.

The vocabulary is `genres.txt`: some two thousand names by family, with the other spellings that sources use. A text is
read in this order, and what none of it knows is no genre and left out: a decade, a nationality, a voice, an opinion.

    the whole text      "Drum n Bass" -> drum and bass; "Rap" -> hip hop; "Singer/Songwriter" -> singer-songwriter
    its parts           at commas, slashes and the like, and at "and" where both sides are known: "Rock/Pop" -> rock and
                        pop; "Soul & Funk" -> soul and funk
    the longest ending  "swedish tropical house" -> tropical house; "german indie" -> indie: Spotify had some 6,000 such
                        names, most of them a place or a mood before a genre
    or beginning        where that is the longer one: "rap ivoire" -> hip hop, "k-pop girl group" -> k-pop
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from enrichment.domain.text import REMEMBERED, clean, words

_LONGEST = 6
"""Words. No name of a genre is longer; what is longer is a sentence."""
_SENTENCE = re.compile(
    r"\b(?:an?|about|all|am|any|are|at|best|bring|check|do|dont|ever|favou?rites?|for|get|give|i|if|im|in|is|its?|just|kill"
    r"|like|loved?|makes|me|more|most|my|no|not|of|on|or|own|really|songs?|stuff|sucks|that|the|this|to|tracks|want|we|what"
    r"|when|who|with|yours?|you)\b"
)
"""Words of an opinion or a list, "songs to dance to", "not metal": such a text names no genre of its subject."""
_AND = frozenset(("and", "et", "n", "und", "y"))
_MUSIC = frozenset(("music", "musik"))
_BETWEEN = re.compile(r"\s*[/,;|+•·]\s*|\s+-\s+")


class _Spelling(NamedTuple):
    """One spelling of a genre. alone: it counts as a whole text only; within a longer name it means something else."""

    text: str
    genre: str
    family: str
    alone: bool


def genre(text: str) -> str | None:
    """The genre's name in the vocabulary, the first one where the text names several; None where it names none."""
    return next(iter(_read(text)), None)


def genres(texts: Iterable[str]) -> list[str]:
    """The names in the vocabulary of all the genres that these texts name, in their order, each once."""
    return list(dict.fromkeys(name for text in texts for name in _read(text)))


def family(genre: str) -> str | None:
    """The family of a genre, spelled as the vocabulary has it: "electronic", "hip hop", "rock"; None outside of it."""
    return _families().get(genre)


def is_electronic(genres: Iterable[str]) -> bool:
    """Are these the genres of electronic music? At least half of those in the vocabulary must be."""
    found = Counter(map(family, genres))
    return 0 < found["electronic"] >= (found.total() - found[None]) / 2


@lru_cache(REMEMBERED)
def _read(text: str) -> tuple[str, ...]:
    cleaned = clean(text)
    known = _vocabulary().get(_key(cleaned))
    return (known.genre,) if known else tuple(dict.fromkeys(_parts(cleaned)))


def _parts(text: str) -> Iterator[str]:
    for part in _BETWEEN.split(text):
        yield from _phrase(words(part))


def _phrase(said: tuple[str, ...]) -> Iterable[str]:
    """The genres of a part: ("soul", "and", "funk"), or ("and", "country") at the end of a list."""
    if said[:1] == ("and",):
        said = said[1:]
    if said[-1:] and said[-1] in _MUSIC and _key_of(said) not in _vocabulary():
        said = said[:-1]
    whole = _vocabulary().get(_key_of(said))
    if whole:
        return (whole.genre,)
    sides = [_vocabulary().get(_key_of(side)) for side in _sides(said)]
    return [side.genre for side in sides if side] if all(sides) else _within(said)


def _sides(said: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Words cut at each "and"."""
    sides: list[tuple[str, ...]] = [()]
    for word in said:
        if word in _AND:
            sides.append(())
        else:
            sides[-1] += (word,)
    return sides


def _within(said: tuple[str, ...]) -> Iterable[str]:
    """The longest genre at the end of a longer name, or at its beginning."""
    if len(said) > _LONGEST or _SENTENCE.search(" ".join(said)):
        return
    for length in range(len(said) - 1, 0, -1):
        for some in (said[-length:], said[:length]):
            known = _vocabulary().get(_key_of(some))
            if known and not known.alone:
                yield known.genre
                return


def _key(text: str) -> str:
    """What the spellings of a name share: "Hip-Hop" and "hip hop". "pop/rock" is not "pop rock"."""
    return "/".join(_key_of(words(part)) for part in text.split("/"))


def _key_of(said: tuple[str, ...]) -> str:
    return "".join(said)


def spellings() -> Iterator[_Spelling]:
    """The whole vocabulary, as it stands in its file; a genre's own name is the first of its spellings."""
    under = ""
    for line in files(__package__).joinpath("genres.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            under = line.strip("[]")
        elif line and not line.startswith("#"):
            names = line.split(" | ")
            for name in names:
                yield _Spelling(name.lstrip("~"), names[0].lstrip("~"), under, name.startswith("~"))


@lru_cache(maxsize=1)
def _vocabulary() -> dict[str, _Spelling]:
    return {_key(spelling.text): spelling for spelling in spellings()}


@lru_cache(maxsize=1)
def _families() -> dict[str, str]:
    return {spelling.genre: spelling.family for spelling in spellings()}
