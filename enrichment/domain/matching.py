"""Is it the same recording? Names, versions, durations and ISRCs as evidence; unsure is an answer.

A wrong identifier is worse than none, so each piece of evidence may hold a match back and no single one makes it:

names      artist and title decide; below a floor nothing else helps. Short and symbol-only names must be equal.
versions   a remix, edit, live or acoustic version is another recording; a remaster is the same one, told mildly.
duration   up to 3 s apart speaks for, more than 15 s against, more than 30 s forbids (unless the ISRC is equal).
ISRC       equal is a strong yes where the names agree, unequal a weak no: sources get them wrong.

The figures behind the thresholds are those of the labelled data (reference: matching and peers, B.3) and are held by
tests. Everything is symmetric, never raises, and costs well under a millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from rapidfuzz.distance import Levenshtein

from enrichment.domain.text import clean, fold, split_title, words

SAME = 0.85
"""Score from which a match is the same recording."""
UNSURE = 0.60
"""Score below which it is another one."""
FLOOR = 0.60
"""Artist or title similarity below which no other evidence is looked at."""

_CLOSE = 0.80
"""Similarity from which a name may be a slip of the pen; below it has other words."""
_DOUBTFUL = 0.70
"""Similarity of names that have a word more, or are too short for what they differ by."""

_GOOD_MS, _FAIR_MS, _FAR_MS, _VETO_MS = 3_000, 10_000, 15_000, 30_000
_RIVAL = 0.05
"""A candidate this close to the best one competes with it."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two recordings, performers or albums to compare; what is not known stays empty.

    artist: the whole credit as written, several performers joined by ", ". duration_ms: milliseconds.
    """

    artist: str = ""
    title: str = ""
    album: str = ""
    duration_ms: int | None = None
    isrc: tuple[str, ...] = ()
    year: int | None = None
    label: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """score: 0 to 1, how sure it is that both are the same."""

    verdict: Literal["same", "different", "unsure"]
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """id and index name the chosen candidate and are None unless one is chosen; score is that of the best one."""

    verdict: Literal["chosen", "unsure", "none"]
    id: str | None
    index: int | None
    score: float
    reasons: tuple[str, ...]


# --- names ---------------------------------------------------------------------------------------------------------

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
_COUNTED = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
_PART = {"part": "part", "pt": "part", "pts": "part", "vol": "vol", "volume": "vol", "no": "no", "nr": "no", "op": "op"}
_STOP = frozenset("a an and the of in on to for de la le les el los der die das du il".split())  # noqa: SIM905 - readable


@dataclass(frozen=True, slots=True)
class _Name:
    """A name made ready to compare.

    symbols: all of it but spaces and end marks, diacritics kept.
    numbers: decimals whole ("4.5"), counted parts as digits.
    """

    symbols: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def joined(self) -> str:
        return "".join(self.words)


@lru_cache(maxsize=16384)
def _name(text: str) -> _Name:
    folded = fold(text)
    return _Name(_symbols(text), tuple(_numbered(words(text))), tuple(sorted(_numbers(folded))))


def _symbols(text: str) -> str:
    symbols = "".join(text.casefold().split())
    return symbols.rstrip(".!?") or symbols


def _numbered(parts: Sequence[str]) -> list[str]:
    """Part names unified, and Roman or spelled numbers after them as digits: "Pt. II" -> part 2."""
    result = list(parts[:1])
    for before, part in pairwise(parts):
        counted = before in _PART and (_ROMAN.get(part) or _COUNTED.get(part))
        result.append(counted or (_ROMAN[part] if part in ("ii", "iii", "iv", "vii", "viii", "ix") else part))
    return [
        _PART[part] if part in _PART and at + 1 < len(result) and result[at + 1].isdigit() else part
        for at, part in enumerate(result)
    ]


def _numbers(folded: str) -> list[str]:
    """Numbers as they tell names apart: decimals kept whole, which `words` cuts."""
    spoken = " ".join(_numbered(words(folded)))
    decimals = [number for number in _NUMBER.findall(folded) if "." in number]
    return decimals + _NUMBER.findall(spoken)


def _similar(a: _Name, b: _Name) -> float:
    """0 to 1: how alike two names are. Below 1 only for what a slip of the pen explains."""
    if not a.words or not b.words:
        return 1.0 if a.symbols == b.symbols and a.symbols else 0.0
    if a.numbers != b.numbers:
        return 0.0
    short = min(len(a.joined), len(b.joined))
    if a.words == b.words or a.joined == b.joined:
        return 1.0 if short > 2 or a.symbols == b.symbols else _DOUBTFUL  # "MØ" and "Mo", "+44" and "44"
    if short <= 4:
        return 0.0
    letters = Levenshtein.normalized_similarity(a.joined, b.joined)
    return min(letters, _agreement(a.words, b.words, letters))


def _agreement(a: tuple[str, ...], b: tuple[str, ...], letters: float) -> float:
    """A cap on similarity by whole words: "Dani California" is not "Californication", however alike the letters."""
    left = [word for word in a[:40] if word not in b]
    right = [word for word in b[:40] if word not in a]
    strange_left = _strange(left, right)
    strange_right = _strange(right, left)
    if not strange_left and not strange_right:
        return 1.0
    return 0.5 if strange_left and strange_right and letters < 0.9 else _DOUBTFUL


def _strange(some: Sequence[str], others: Sequence[str]) -> bool:
    """Is there a word of weight with no misspelling of it on the other side?"""
    return any(
        word not in _STOP and not any(Levenshtein.normalized_similarity(word, other) >= 0.7 for other in others)
        for word in some
    )


_LATIN_END = 0x250


@lru_cache(maxsize=16384)
def _foreign(a: str, b: str) -> bool:
    """True where the two share no script, so that letters cannot tell whether they are the same name."""
    plain_a, plain_b = _scripts(a), _scripts(b)
    return bool(plain_a and plain_b and not plain_a & plain_b)


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


# --- artists -------------------------------------------------------------------------------------------------------

_CREDIT = re.compile(
    r"\s*[(\[]?(?:\b(?:feat(?:uring)?|ft|with|vs|versus|pres(?:ents)?)\b\.?|[,;/]|\s(?:&|\+|and|x|et|y|und|con|·|•)\s)\s*",
    re.IGNORECASE,
)
_MANY = 12
_TOLD = 0.90
"""One credit names some of the other's performers: guests are often left out."""
_LED = 0.80
"""Both name others beside the one they share, and it leads one of them."""


@dataclass(frozen=True, slots=True)
class _Credit:
    whole: _Name
    people: tuple[_Name, ...]


@lru_cache(maxsize=16384)
def _credit(text: str) -> _Credit:
    cleaned = clean(text)
    if cleaned.casefold().endswith(", the"):
        cleaned = cleaned[:-5]
    pieces = [piece.strip(" ()[]") for piece in _CREDIT.split(cleaned)]
    people = tuple(_name(_bare(piece)) for piece in pieces[:_MANY] if piece)
    return _Credit(_name(_bare(cleaned)), people)


def _bare(name: str) -> str:
    """Without a leading "The"; The The keep theirs."""
    start, rest = name[:4].casefold(), name[4:].strip()
    return rest if start == "the " and rest and rest.casefold() != "the" else name


def same_artist(a: str, b: str) -> float:
    """0 to 1: do two credits name the same performer?

    Case, diacritics, "&" and "and", a leading or trailing "The", and the order of several names do not matter; a guest
    whom only one credit names matters little. Names of four characters or fewer and names of symbols must be equal;
    numbers must be equal. 0.5 where the credits share no script, because letters cannot tell then.
    """
    return _artists(clean(a), clean(b))


@lru_cache(maxsize=16384)
def _artists(a: str, b: str) -> float:
    left, right = _credit(a), _credit(b)
    whole = _similar(left.whole, right.whole)
    if whole == 1.0:
        return 1.0
    together = _together(left.people, right.people)
    if not max(whole, together) and _foreign(a, b):
        return 0.5
    return max(whole, together)


def _together(left: tuple[_Name, ...], right: tuple[_Name, ...]) -> float:
    """How well the people of the shorter credit are found in the longer one."""
    few, many = sorted((left, right), key=len)
    if not few or len(many) == 1:
        return 0.0
    found = _found(few, many)
    if len(few) == len(many):
        found = min(found, _found(many, few))
    if found < _CLOSE:
        return _LED if max(_lead(left, right), _lead(right, left)) >= 0.95 else 0.0
    if len(few) == len(many):
        return found
    # Of "Earth, Wind & Fire" only the pieces are known here: a lone last one has to be a full name to count.
    alone = len(few) == 1 and len(few[0].words) == 1 and _similar(few[0], (left if few is right else right)[0]) < _CLOSE
    return found * (_DOUBTFUL if alone else _TOLD)


def _found(some: tuple[_Name, ...], others: tuple[_Name, ...]) -> float:
    return min(max(_similar(one, other) for other in others) for one in some)


def _lead(left: tuple[_Name, ...], right: tuple[_Name, ...]) -> float:
    """How well the first named of one credit is found in the other."""
    return max(_similar(left[0], other) for other in right)


# --- titles and versions -------------------------------------------------------------------------------------------

_KINDS: tuple[tuple[str, str], ...] = (
    ("karaoke", r"karaoke|backing track|sing ?along"),
    ("tribute", r"tribute|cover|made famous|style of|originally (?:performed|recorded) by"),
    ("remaster", r"re ?master\w*|digital(?:ly)? master\w*"),
    ("rerecorded", r"re ?record\w*|taylors version|remake"),
    ("acapella", r"a ?cap+el+as?"),
    ("instrumental", r"instrumental"),
    ("live", r"live|unplugged|en vivo|ao vivo|en direct|sessions?"),
    ("acoustic", r"acoustic|akustik|acoustique|acustic[oa]"),
    ("orchestral", r"orchestral|symphonic"),
    ("arranged", r"arr|arranged"),
    ("demo", r"demo|rehearsal|work in progress|outtake|unreleased"),
    ("alternate", r"alt(?:ernat(?:e|ive))?|take \d+"),
    ("part of it", r"intro|outro|interlude|reprise|skit"),
    ("speed", r"sped up|slowed|nightcore|reverb|8d"),
    ("vip", r"vip"),
    ("dub", r"dub"),
    ("extended", r"extended|12|long"),
    ("short", r"radio|single|short|edit|edited|7"),
    ("remix", r"(?:re ?)?mix(?:es|ed)?|rmx|re ?work(?:ed)?|re ?fix|re ?rub|re ?edit|flip|bootleg|mash ?up"),
    ("mono", r"mono"),
    ("clean", r"clean"),
    ("medley", r"medley"),
)
_KIND_RES = tuple((kind, re.compile(rf"\b(?:{pattern})\b")) for kind, pattern in _KINDS)
_MILD = frozenset({"remaster"})
"""Versions of the same recording."""
_OPEN = frozenset({"short", "mono", "clean", "arranged", "version"})
"""Versions that are often the plain recording under another label: the single is what most people know."""
_EXCLUSIVE = frozenset({"extended", "short"})
_FILLER = re.compile(
    r"version|ver|mix|edit|remix(?:ed)?|rmx|edited|stereo|digital(?:ly)?|original|record(?:ing|ed)|full|track|album|lp"
    r"|feat|special|hd|inch|the|a|an|of|in|at|on|from|and|with|by|for|new"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_CLAUSES = re.compile(r"\s/\s|;|,(?=\s(?:(?:19|20)\d\d )?re-?master)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Version:
    """kinds: what sort of version. details: whose or where ("kygo", "webster hall")."""

    kinds: frozenset[str]
    details: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Title:
    whole: _Name
    base: _Name
    without_notes: _Name
    version: _Version


@lru_cache(maxsize=16384)
def _title(text: str) -> _Title:
    title = split_title(text)
    bare = title.base
    for note in title.notes:
        bare = re.sub(rf"\s*[(\[{{]{re.escape(note)}[)\]}}]?", "", bare)
    whole = _name(f"{title.base} {title.version}")
    return _Title(whole, _name(title.base), _name(bare or title.base), _version(title.version))


def _version(text: str) -> _Version:
    """Read clause by clause: in "Mono / Remastered 2009" the year is the remaster's."""
    clauses = [_clause(" ".join(words(clause))) for clause in _CLAUSES.split(text)] if text else []
    kinds = frozenset[str]().union(*(clause.kinds for clause in clauses))
    details = frozenset[str]().union(*(clause.details for clause in clauses))
    if "remaster" in kinds:
        details = frozenset(detail for detail in details if not _YEAR.fullmatch(detail))
    return _Version(kinds if kinds or not details else frozenset({"version"}), details)


def _clause(spoken: str) -> _Version:
    kinds, rest = set(), spoken
    for kind, pattern in _KIND_RES:
        rest, hits = pattern.subn(" ", rest)
        if hits:
            kinds.add(kind)
    details = frozenset(word for word in rest.split() if not _FILLER.fullmatch(word))
    if "remix" in kinds and kinds & {"short", "extended", "alternate", "mono"} and not details:
        kinds.discard("remix")  # "Extended Mix", "Radio Mix": the word names no remixer
    if "short" in kinds and details and not re.search(r"\b(?:radio|single|7)\b", spoken):
        kinds = kinds - {"short"} | {"remix"}  # "Eric Prydz Edit"
    if kinds == {"remaster"}:
        details = frozenset()
    if details and not kinds and not all(map(_YEAR.fullmatch, details)):
        kinds = {"version"}
    return _Version(frozenset(kinds), details)


Relation = Literal["same", "mild", "open", "differ"]
_FACTOR: dict[Relation, float] = {"same": 1.0, "mild": 0.95, "open": 0.80, "differ": 0.0}


@lru_cache(maxsize=16384)
def _relation(a: _Version, b: _Version) -> Relation:
    """How two versions stand to each other. open: only other evidence can tell."""
    odd = (a.kinds ^ b.kinds) - _MILD
    if odd - _OPEN or odd >= _EXCLUSIVE:
        return "differ"
    if odd:
        return "open"
    if a.details == b.details:
        return "mild" if a.kinds != b.kinds else "same"
    if not a.details or not b.details:
        return "open"
    left, right = " ".join(sorted(a.details)), " ".join(sorted(b.details))
    if a.details <= b.details or b.details <= a.details or Levenshtein.normalized_similarity(left, right) >= 0.85:
        return "mild"
    return "differ"


def _base(a: _Title, b: _Title) -> float:
    """Similarity of two titles without their versions. A subtitle that only one of them has counts a little."""
    full = _similar(a.base, b.base)
    if full == 1.0:
        return full
    bare = _similar(a.without_notes, b.without_notes)
    one_has = (a.base == a.without_notes) != (b.base == b.without_notes)
    return max(full, bare * 0.92 if one_has else 0.0, _shared_script(a.base, b.base))


def _shared_script(a: _Name, b: _Name) -> float:
    """A title written in two scripts at once ("NAPPA 나빠") is the same as one of its halves."""
    for long, short in ((a, b), (b, a)):
        half = tuple(word for word in long.words if not _foreign(word, short.joined))
        if half and half != long.words and half == short.words:
            return 0.95
    return 0.0


def _spelled_alike(a: _Title, b: _Title) -> bool:
    """Word for word the same, whether the version stands in brackets or not."""
    return bool(a.whole.words) and a.whole.words == b.whole.words and a.whole.numbers == b.whole.numbers


def same_title(a: str, b: str) -> float:
    """0 to 1: do two titles name the same version of the same song?

    0 where the versions differ (a remix and the original, two remixers, live and studio); a remaster costs 5 %, and a
    version that may be the plain recording under another label (radio edit, mono) 20 %. Guests, origins and packaging
    ("Official Video", "Original Mix") do not matter.
    """
    left, right = _title(clean(a)), _title(clean(b))
    if _spelled_alike(left, right):
        return 1.0
    return _base(left, right) * _FACTOR[_relation(left.version, right.version)]


# --- weighing ------------------------------------------------------------------------------------------------------

_IMITATION = re.compile(
    r"\b(?:karaoke|tribute (?:to|band|version)|made famous|in the style of|originally (?:performed|recorded) by"
    r"|cover versions?|backing tracks?|sing-?along|sound-?alike)\b",
    re.IGNORECASE,
)
_IMITATIONS_ALBUM = re.compile(r"\b(?:karaoke|made famous|in the style of)\b", re.IGNORECASE)
_TELL = 0.80
"""The most a match can reach that more evidence, or a person, has to decide."""
_NO = 0.30
"""The most it can reach once something forbids it."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """One piece of evidence. share: of the doubt left, how much it takes away. most: the highest score it leaves
    possible; most_isrc: the same where the ISRCs are equal.
    """

    reason: str
    share: float = 0.0
    most: float = 1.0
    most_isrc: float = 1.0


def match(a: Side, b: Side) -> Match:
    """Are these the same recording? Without titles on both sides: the same album, else the same performer.

    What only one side knows is no evidence against. Names alone can make a match; a title alone, or an ISRC alone, not.
    """
    isrc = _isrc(a, b)
    evidence = [isrc] if isrc else []
    artist = _both(a.artist, b.artist, same_artist)
    evidence.append(_artist_evidence(a.artist, b.artist, artist))
    title, about_title = _title_evidence(a, b)
    evidence += about_title
    evidence += [piece for piece in (_imitation(a, b), _duration(a, b), *_supporting(a, b)) if piece]
    return _weigh(_names(artist, title), evidence, isrc_equal=isrc is _ISRC_EQUAL)


def _weigh(names: float, evidence: Sequence[_Evidence], *, isrc_equal: bool) -> Match:
    doubt = 1 - 0.94 * names
    for piece in evidence:
        doubt *= 1 - piece.share
    most = min((piece.most_isrc if isrc_equal else piece.most for piece in evidence), default=1.0)
    score = round(max(0.0, min(1 - doubt, most)), 3)
    verdict: Literal["same", "different", "unsure"] = (
        "same" if score >= SAME else "unsure" if score >= UNSURE else "different"
    )
    return Match(verdict, score, tuple(piece.reason for piece in evidence))


def _both(a: str, b: str, similarity: Callable[[str, str], float]) -> float | None:
    """None where a side does not say it, so that there is nothing to compare."""
    return similarity(a, b) if a.strip() and b.strip() else None


def _names(artist: float | None, title: float | None) -> float:
    if artist is None or title is None:
        return (title or 0.0) if artist is None else artist
    return 0.6 * title + 0.4 * artist


def _artist_evidence(a: str, b: str, similarity: float | None) -> _Evidence:
    if similarity is None:
        return _Evidence("the artist is not known on both sides", most=_TELL)
    if similarity == 1.0:
        return _Evidence("same artist")
    if similarity < FLOOR and _foreign(clean(a), clean(b)):
        return _Evidence("artists in different scripts", most=_TELL)
    if similarity < FLOOR:
        return _Evidence("different artists", most=_NO, most_isrc=_TELL)
    return _Evidence(f"similar artists ({similarity:.2f})", most=1.0 if similarity >= _CLOSE else _TELL)


def _title_evidence(a: Side, b: Side) -> tuple[float | None, list[_Evidence]]:
    """The titles' similarity, None where there is none to compare, and what it says."""
    if not (a.title.strip() or b.title.strip()):
        if not (a.album.strip() or b.album.strip()):
            return None, []
        a, b = replace(a, title=a.album), replace(b, title=b.album)
    if not (a.title.strip() and b.title.strip()):
        return None, [_Evidence("the title is not known on both sides", most=_TELL)]
    left, right = _title(clean(a.title)), _title(clean(b.title))
    if _spelled_alike(left, right):
        return 1.0, [_Evidence("same title")]
    base, relation = _base(left, right), _relation(left.version, right.version)
    if base < FLOOR and _foreign(clean(a.title), clean(b.title)):
        return 0.5, [_Evidence("titles in different scripts", most=_TELL)]
    return base * (_FACTOR[relation] or 1.0), [
        _base_evidence(base),
        *_version_evidence(left, right, relation, _apart(a, b)),
    ]


def _base_evidence(base: float) -> _Evidence:
    if base < FLOOR:
        return _Evidence("different titles", most=_NO, most_isrc=_TELL)
    if base == 1.0:
        return _Evidence("same title")
    return _Evidence(f"similar titles ({base:.2f})", most=1.0 if base >= _CLOSE else _TELL)


def _version_evidence(a: _Title, b: _Title, relation: Relation, apart: int | None) -> list[_Evidence]:
    """With equal ISRCs and durations one of the sides has just not named its version."""
    if relation == "same":
        return []
    if relation == "open" and a.version.kinds != b.version.kinds:
        return [_Evidence(f"versions that may be one: {_told(a, b)}", most=_TELL, most_isrc=0.97)]
    if relation == "differ":
        most_isrc = 0.90 if apart is not None and apart <= _GOOD_MS else _TELL
        return [_Evidence(f"different versions: {_told(a, b)}", most=_NO, most_isrc=most_isrc)]
    return [_Evidence(f"versions of one recording: {_told(a, b)}")]


def _told(a: _Title, b: _Title) -> str:
    return " and ".join(sorted(_tell(side.version) for side in (a, b)))


def _tell(version: _Version) -> str:
    return ", ".join(sorted(version.kinds)) + "".join(f" {detail}" for detail in sorted(version.details)) or "plain"


def _imitation(a: Side, b: Side) -> _Evidence | None:
    if _imitates(a) == _imitates(b):
        return None
    return _Evidence("only one is an imitation (karaoke, tribute, cover)", most=_NO, most_isrc=_TELL)


def _imitates(side: Side) -> bool:
    return bool(
        _IMITATION.search(clean(f"{side.artist} / {side.title}")) or _IMITATIONS_ALBUM.search(clean(side.album))
    )


def _apart(a: Side, b: Side) -> int | None:
    """Milliseconds between the durations, None where one is not known. Some sources say 0 for that."""
    if not a.duration_ms or not b.duration_ms or min(a.duration_ms, b.duration_ms) < 0:
        return None
    return abs(a.duration_ms - b.duration_ms)


def _duration(a: Side, b: Side) -> _Evidence | None:
    apart = _apart(a, b)
    if apart is None:
        return None
    seconds = f"{apart / 1000:.0f} s apart"
    if apart <= _GOOD_MS:
        return _Evidence(seconds, share=0.5)
    if apart <= _FAIR_MS:
        return _Evidence(seconds)
    if apart <= _FAR_MS:
        return _Evidence(seconds, most=0.90)
    return _Evidence(seconds, most=_TELL if apart <= _VETO_MS else _NO, most_isrc=0.90)


_ISRC_EQUAL = _Evidence("same ISRC", share=0.75)
_ISRC_UNEQUAL = _Evidence("different ISRC", most=0.95)


def _isrc(a: Side, b: Side) -> _Evidence | None:
    left, right = ({"".join(filter(str.isalnum, code[:20])).upper() for code in s.isrc[:50]} - {""} for s in (a, b))
    if not left or not right:
        return None
    return _ISRC_EQUAL if left & right else _ISRC_UNEQUAL


def _supporting(a: Side, b: Side) -> list[_Evidence]:
    """Small things that speak for; none speaks against, because recordings are released again and again."""
    found = []
    if (a.title + b.title).strip() and (_both(a.album, b.album, same_title) or 0.0) >= 0.9:
        found.append(_Evidence("same album", share=0.15))
    if (_both(a.label, b.label, same_artist) or 0.0) >= 0.9:
        found.append(_Evidence("same label", share=0.05))
    if a.year and a.year == b.year:
        found.append(_Evidence("same year", share=0.03))
    return found


def choose(query: Side, candidates: Sequence[Side]) -> Choice:
    """The candidate that is what the query names.

    unsure: candidates may be it, but none surely, or two equally likely ones are different recordings. Two equally
    likely ones that are the same recording (re-releases) are no problem: the better one is taken, the earlier on a tie.
    """
    if not candidates:
        return Choice("none", None, None, 0.0, ("no candidates",))
    matches = [match(query, candidate) for candidate in candidates]
    best = min(range(len(matches)), key=lambda at: _rank(query, candidates[at], matches[at], at))
    found, chosen = matches[best], candidates[best]
    if found.verdict != "same":
        verdict: Literal["none", "unsure"] = "none" if found.verdict == "different" else "unsure"
        return Choice(verdict, None, None, found.score, found.reasons)
    for at, rival in enumerate(matches):
        close = at != best and rival.verdict == "same" and found.score - rival.score <= _RIVAL
        if close and match(chosen, candidates[at]).verdict != "same":
            reason = f"candidate {at} is as likely and another recording"
            return Choice("unsure", None, None, found.score, (*found.reasons, reason))
    return Choice("chosen", chosen.id or None, best, found.score, found.reasons)


def _rank(query: Side, candidate: Side, found: Match, at: int) -> tuple[float, int, int]:
    """Best first. An equal ISRC makes up for a tag's wrong duration."""
    lift = _RIVAL if found.verdict == "same" and _isrc(query, candidate) is _ISRC_EQUAL else 0.0
    return -found.score - lift, _apart(query, candidate) or 0, at
