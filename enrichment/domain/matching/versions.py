"""Which version of a song a title names, and how two versions stand to each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rapidfuzz.distance import OSA

from enrichment.domain.matching.names import CLOSE, name, similar
from enrichment.domain.text import REMEMBERED, words

_KINDS: dict[str, str] = {
    "karaoke": r"karaoke|backing track|sing ?along",
    "tribute": r"tribute|cover|made famous|style of|originally (?:performed|recorded) by",
    "remaster": r"re ?master\w*|digital(?:ly)? master\w*",
    "rerecorded": r"re ?record\w*|remake",
    "acapella": r"a ?c+ap+el+as?",
    "instrumental": r"instrumental|inst",
    "live": r"live|unplugged|en vivo|ao vivo|en direct|sessions?",
    "acoustic": r"acoustic|akustik|acoustique|acustic[oa]",
    "orchestral": r"orchestral|symphonic",
    "arranged": r"arr|arranged",
    "demo": r"demo|rehearsal|work in progress|outtake|unreleased",
    "alternate": r"alt(?:ernat(?:e|ive))?|take \d+",
    "part": r"intro|outro|interlude|reprise|skit",
    "speed": r"sped up|slowed|nightcore|reverb|8d",
    "vip": r"vip",
    "dub": r"dub(?:strumental)?",
    "extended": r"extended|ext|12|long",
    "short": r"radio|short",
    "single": r"single|7",
    "mono": r"mono",
    "clean": r"clean",
    "medley": r"medley",
    "remix": r"re ?mix(?:es|ed)?|rmx|re ?work(?:ed)?|re ?fix|re ?rub|re ?edit|flip|boot(?:leg)?|mash ?up",
    "mix": r"mix(?:es|ed)?",
    "edit": r"edit(?:ed)?",
}
_KIND = re.compile(r"\b(?:" + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()) + r")\b")
_MILD = frozenset({"remaster"})
"""Versions of the same recording."""
_OPEN = frozenset({"short", "single", "mono", "clean", "arranged", "version"})
"""Versions that are often the plain recording under another label: the single is what most people know."""
_CUT = frozenset({"short", "single"})
"""Two words for one cut: "Radio Edit", "Single Edit"."""
_FILLER = re.compile(
    r"version|ver|mix|edit|remix(?:ed)?|rmx|edited|stereo|digital(?:ly)?|original|record(?:ing|ed)|full|track|album|lp"
    r"|feat|special|hd|inch|explicit|deluxe|ep|bonus|the|a|an|of|in|at|on|from|and|with|by|for|new|s"
)
_MANNER = re.compile(
    r"\d+|club|vocal|main|dark|deep|vinyl|i{1,3}|radio|party|house|techno|disco|version|short|tool|beat|beats"
)
"""Words that, beside a remixer's name, tell two mixes by the same hand apart."""
_YEAR = re.compile(r"(?:19|20)\d\d")
_CLAUSES = re.compile(r"\s/\s|;|,(?=\s(?:(?:19|20)\d\d )?re-?master)", re.IGNORECASE)
_POSSESSIVE = re.compile(r"'s?(?=\s)")
_SHORT_YEAR = re.compile(r"'(\d\d)\b")
_OWN = re.compile(r"'s? version\b", re.IGNORECASE)


_SPELLING = (
    *("remix", "original", "extended", "acoustic", "instrumental", "remaster", "remastered", "version", "bootleg"),
    *("rework", "reprise", "acapella", "karaoke", "unplugged"),
)
_BRACKETED = re.compile(r"[(\[{][^()\[\]{}]*[)\]}]|\s-\s[^()\[\]{}]*$")
_LONG_WORD = re.compile(r"[^\W\d_]{5,}")


@lru_cache(REMEMBERED)
def _spelled_word(word: str) -> str:
    near = [right for right in _SPELLING if OSA.normalized_similarity(word.casefold(), right) >= 0.8]
    return near[0] if near and word.casefold() not in _SPELLING else word


def spelled(title: str) -> str:
    """A title with the words of versions spelled right: "(Acousitc)", "[Zedd Remxi]", "- Origiinal Mix"."""
    return _BRACKETED.sub(lambda part: _spelled_part(part[0]), title)


@lru_cache(REMEMBERED)
def _spelled_part(part: str) -> str:
    return _LONG_WORD.sub(lambda word: _spelled_word(word[0]), part)


def is_version_word(word: str) -> bool:
    """Is a folded word one that names a version by itself?"""
    return _KIND.fullmatch(word) is not None


@dataclass(frozen=True, slots=True)
class Version:
    """kinds: what sort of version. details: whose or where ("kygo", "webster hall"). The plain one has none."""

    kinds: frozenset[str] = frozenset()
    details: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """The version in words, for reasons."""
        return ", ".join(sorted(self.kinds)) + "".join(f" {detail}" for detail in sorted(self.details)) or "plain"


PLAIN = Version()


@lru_cache(REMEMBERED)
def read_version(text: str) -> Version:
    """What a version says, as `text.split_title` gives it, clause by clause: in "Mono / Remastered 2009" the year is
    the remaster's.
    """
    if not text:
        return PLAIN
    if "'" in text:
        text = _SHORT_YEAR.sub(_whole_year, text)
        text = _POSSESSIVE.sub("", _OWN.sub(" rerecorded", text))
    clauses = [_clause(" ".join(words(clause))) for clause in _CLAUSES.split(text)]
    kinds = frozenset[str]().union(*(clause.kinds for clause in clauses))
    details = frozenset[str]().union(*(clause.details for clause in clauses))
    if "remaster" in kinds:
        details = frozenset(detail for detail in details if not _YEAR.fullmatch(detail))
    return Version(kinds if kinds or not details else frozenset({"version"}), details)


def _whole_year(short: re.Match[str]) -> str:
    """The year of "'86" is 1986, of "'05" 2005: there are hardly records from before 1930."""
    return f" {'19' if short[1] >= '30' else '20'}{short[1]}"


def _clause(spoken: str) -> Version:
    kinds = {match.lastgroup or "" for match in _KIND.finditer(spoken)}
    details = frozenset(word for word in _KIND.sub(" ", spoken).split() if not _FILLER.fullmatch(word))
    kinds = _made(kinds, details)
    if kinds == {"remaster"}:
        details = frozenset()
    if details and not kinds and not all(map(_YEAR.fullmatch, details)):
        kinds = {"version"}
    return Version(frozenset(kinds), details)


def _made(kinds: set[str], details: frozenset[str]) -> set[str]:
    """A mix or an edit is a remix where somebody has made it: "Andrea Parker Mix", "Eric Prydz Edit". Else the words
    carry only what stands before them: "Extended Mix", "Radio Edit", "Dub Mix".
    """
    vague, kinds = kinds & {"mix", "edit"}, kinds - {"mix", "edit"}
    if not vague:
        return kinds
    if kinds - _MILD:
        return kinds
    return kinds | ({"short"} if vague == {"edit"} and all(map(_YEAR.fullmatch, details)) else {"remix"})


Relation = Literal["same", "mild", "open", "differ"]


@lru_cache(REMEMBERED)
def relation(a: Version, b: Version) -> Relation:
    """How two versions stand to each other. mild: of one recording. open: only other evidence can tell."""
    odd = (a.kinds ^ b.kinds) - _MILD
    if odd - _OPEN:
        return "differ"
    if odd and odd != _CUT:
        return "open"
    if a.details == b.details:
        return "mild" if a.kinds != b.kinds else "same"
    if not a.details or not b.details:
        return "open"
    return _by(a.details, b.details)


def relabelled(a: Version, b: Version) -> bool:
    """Is one of two versions only called live, or re-recorded by nobody in particular? Albums do so, and compilations
    of them leave it out.
    """
    odd = (a.kinds ^ b.kinds) - _MILD
    return odd == {"live"} or (odd == {"rerecorded"} and not a.details and not b.details)


def renamed(a: Version, b: Version) -> bool:
    """Is one of two the plain recording, and the other named by a word that says nothing of how it sounds ("Single
    Version")? A single's own mix beside a remaster is none.
    """
    return not (a.kinds and b.kinds) and a.kinds | b.kinds <= {"single", "version", "arranged", "remaster"}


def _by(a: frozenset[str], b: frozenset[str]) -> Relation:
    """Of two versions of one sort, whose or where they are."""
    extra = a - b if b < a else b - a if a < b else None
    if extra is not None:
        return "open" if any(map(_MANNER.fullmatch, extra)) else "mild"
    return "mild" if similar(name(" ".join(sorted(a))), name(" ".join(sorted(b)))) >= CLOSE else "differ"
