"""Is it the same recording? All evidence on a pair, each piece with its weight and reason, and the verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from rapidfuzz.distance import Indel

from enrichment.domain.matching import weights
from enrichment.domain.matching.credits import same_artist, same_credit
from enrichment.domain.matching.names import CLOSE, foreign, name
from enrichment.domain.matching.sides import MOST, Match, Side, Verdict
from enrichment.domain.matching.titles import (
    ASIDE,
    SUBTITLED,
    Title,
    same_base,
    same_title,
    slipped,
    spelled_alike,
    title,
    versions,
)
from enrichment.domain.matching.versions import Version, relabelled, renamed
from enrichment.domain.matching.weights import FLOOR, NO, SAME, UNSURE, Weight
from enrichment.domain.text import LONGEST, clean, words


class Evidence(NamedTuple):
    """One piece. points: what it adds, its weight's and what similarity takes off. words: for people."""

    weight: Weight
    words: str
    points: float

    @property
    def reason(self) -> str:
        """The words with what they weigh: "3 s apart (+3)", "different versions: live and plain (-9, at most 0.3)"."""
        told = f"{self.points:+.3g}" if self.points else ""
        limit = f"at most {self.weight.most:g}" if self.weight.most < 1 else ""
        return f"{self.words} ({', '.join(filter(None, (told, limit)))})" if told or limit else self.words


def _piece(weight: Weight, words: str, similarity: float = 1.0) -> Evidence:
    return Evidence(weight, words, round(weight.points - weight.slope * (1 - similarity), 1))


def match(a: Side, b: Side) -> Match:
    """Are these the same recording? Without titles on both sides: the same album, else the same performer.

    What only one side knows is no evidence against. Names alone can make a match; a title alone, or an ISRC alone, not.
    """
    return judge(evidence_on(a, b))


def judge(evidence: list[Evidence]) -> Match:
    """The verdict on all the evidence there is."""
    told = {piece.weight for piece in evidence}
    most = min((_limit(piece.weight, told) for piece in evidence), default=0.0)
    score = round(max(0.0, min(odds(strength(evidence)), most)), 3)
    verdict: Verdict = "same" if score >= SAME else "unsure" if score >= UNSURE else "different"
    return Match(verdict, score, tuple(piece.reason for piece in evidence))


def _limit(weight: Weight, told: set[Weight]) -> float:
    """The highest score that a weight leaves possible beside the others that are told."""
    if weight.most == 1.0:
        return 1.0
    reissued = weights.DURATION_REISSUED in told
    exact = reissued or weights.DURATION_EXACT in told
    return max(
        weight.most,
        weight.most_isrc if weights.ISRC_EQUAL in told else 0.0,
        weight.most_exact if exact else 0.0,
        weight.most_reissued if reissued else 0.0,
    )


def strength(evidence: list[Evidence]) -> float:
    """All points together."""
    return sum(piece.points for piece in evidence)


def odds(points: float) -> float:
    """The probability that points amount to."""
    return 1 / (1 + 10 ** (-points / 10))


def evidence_on(a: Side, b: Side) -> list[Evidence]:
    """Everything that speaks for or against; names first."""
    if not (a.title.strip() or b.title.strip()) and (a.album.strip() or b.album.strip()):
        a, b = replace(a, title=a.album, album=""), replace(b, title=b.album, album="")
    names = list(_names(a, b))
    if any(piece.weight.most <= NO for piece in names) and not (a.isrc and b.isrc) and not _exact(a, b):
        return names  # nothing else could change it
    return names + [piece for piece in _others(a, b) if piece]


# --- names ---------------------------------------------------------------------------------------------------------


def _names(a: Side, b: Side) -> Iterator[Evidence]:
    if a.title.strip() or b.title.strip() or a.unknown or b.unknown or a.isrc or b.isrc:
        artist = _artist(a.artist, b.artist)
        if artist.weight is weights.ARTIST_OTHER and (turned := _turned(a, b) or _turned(b, a)):
            yield _piece(weights.SWAPPED, "artist and title stand the other way round")
            a, b = turned
            artist = _artist(a.artist, b.artist)
        yield artist
        yield from _titles(a, b)
    elif a.artist.strip() or b.artist.strip():
        performer = _artist(a.artist, b.artist)
        named = performer.weight in (weights.ARTIST, weights.ARTIST_LOOSE)
        yield _performer(a.artist, b.artist) if named else performer


def _turned(a: Side, b: Side) -> tuple[Side, Side] | None:
    """The first side turned round, and the second, where they are equal so to the letter: file names of whole libraries
    are written "Title - Artist - Label".
    """
    credit, _, label = clean(a.title).partition(" - ")
    if not credit or not b.title or _letters(credit) != _letters(b.artist) or _letters(a.artist) != _letters(b.title):
        return None
    return replace(a, artist=credit, title=a.artist, label=a.label or label), b


def _letters(text: str) -> str:
    return name(clean(text)).joined or text


def _performer(a: str, b: str) -> Evidence:
    """Without anything else to compare."""
    similarity = same_artist(a, b)
    weight = weights.PERFORMER if similarity >= CLOSE else weights.PERFORMER_LOOSE
    return _piece(weight, "same name" if similarity == 1.0 else f"similar names, {similarity:.2f}", similarity)


def _artist(a: str, b: str) -> Evidence:
    left, right = clean(a), clean(b)
    if not left or not right:
        return _piece(weights.ARTIST_UNTOLD, "the artist is not known on both sides")
    similarity = same_credit(left, right)
    if similarity == 1.0:
        return _piece(weights.ARTIST, "same artist")
    if similarity < FLOOR and foreign(left, right):
        return _piece(weights.ARTIST_FOREIGN, "artists in different scripts")
    if similarity < FLOOR:
        return _piece(weights.ARTIST_OTHER, "different artists")
    weight = weights.ARTIST if similarity >= CLOSE else weights.ARTIST_LOOSE
    return _piece(weight, f"similar artists, {similarity:.2f}", similarity)


def _titles(a: Side, b: Side) -> Iterator[Evidence]:
    """What base titles and versions say."""
    if a.unknown or b.unknown:
        yield _piece(weights.UNKNOWN, "a track that nobody knows")
        return
    cleaned_a, cleaned_b = clean(a.title), clean(b.title)
    if not cleaned_a or not cleaned_b:
        yield _piece(weights.TITLE_UNTOLD, "the title is not known on both sides")
        return
    left, right = title(cleaned_a), title(cleaned_b)
    if spelled_alike(left, right):
        yield _piece(weights.TITLE_VAGUE if left.base.joined in _VAGUE else weights.TITLE, "same title")
        return
    if slip := slipped(left, right):
        yield _base(slip)
        return
    off = apart(a, b)
    aside = SUBTITLED if off is not None and off <= weights.FAIR_MS else ASIDE
    base = same_base(left, right, aside)
    if base < CLOSE and _CREDITED.search(f"{cleaned_a}\n{cleaned_b}"):
        left, right = (title(_uncredited(text, a.artist, b.artist)) for text in (cleaned_a, cleaned_b))
        base = same_base(left, right, aside)
    if base < FLOOR and foreign(cleaned_a, cleaned_b):
        weight = weights.TITLE_TRANSLATED if _near(a, b) else weights.TITLE_FOREIGN
        yield _piece(weight, "titles in different scripts")
        return
    yield _base(base)
    if base >= FLOOR:
        yield from _versions(left, right, off)


_VAGUE = frozenset(("untitled", "intro", "outro", "interlude", "skit", "unknown", "track", "notitle", "bonustrack"))


_CREDITED = re.compile(r":\s|\s-\s")


def _uncredited(text: str, *artists: str) -> str:
    """A title without the credited name before it: "Beethoven: String Quartet No. 16", "Jain - Makeba"."""
    head, *rest = _CREDITED.split(text, maxsplit=1)
    credited = {word for artist in artists for word in words(clean(artist))}
    return rest[0] if rest and rest[0] and head.strip() and credited.issuperset(words(head)) else text


def _base(base: float) -> Evidence:
    if base == 1.0:
        return _piece(weights.TITLE, "same title")
    if base < FLOOR:
        return _piece(weights.TITLE_OTHER, "different titles")
    return _piece(weights.TITLE if base >= CLOSE else weights.TITLE_LOOSE, f"similar titles, {base:.2f}", base)


def _versions(a: Title, b: Title, off: int | None) -> Iterator[Evidence]:
    found = versions(a, b)
    if found == "same":
        return
    told = " and ".join(sorted((str(a.version), str(b.version))))
    if found == "mild":
        yield _piece(weights.VERSION_MILD, f"versions of one recording: {told}")
    elif found == "differ":
        weight = weights.VERSION_RELABELLED if relabelled(a.version, b.version) else weights.VERSION_OTHER
        yield _piece(weight, f"different versions: {told}")
    else:
        yield _piece(_open(a.version, b.version, off), f"versions that may be one: {told}")


def _open(a: Version, b: Version, off: int | None) -> Weight:
    known = weights.VETO_MS if off is None else off
    if a.kinds == b.kinds:
        return weights.VERSION_UNNAMED if known <= weights.GOOD_MS else weights.VERSION_VAGUE
    return weights.VERSION_RENAMED if known <= weights.EQUAL_MS and renamed(a, b) else weights.VERSION_OPEN


# --- the rest ------------------------------------------------------------------------------------------------------

_IMITATION = re.compile(
    "karaoke|tribute (?:to|band|version)|made famous|in the style of|cover version|originally (?:performed|recorded) by"
    "|backing track|sing[ -]?along|sound-?alike|vocal guide"
)
_IMITATIONS_ALBUM = re.compile("karaoke|made famous|in the style of")


def _others(a: Side, b: Side) -> Iterator[Evidence | None]:
    yield _imitation(a, b)
    yield _duration(a, b)
    yield _codes(a.isrc, b.isrc, _code, (weights.ISRC_EQUAL, "same ISRC"), (weights.ISRC_UNEQUAL, "different ISRC"))
    yield _links(a, b)
    yield from _supporting(a, b)


def _imitation(a: Side, b: Side) -> Evidence | None:
    if _imitates(a) == _imitates(b):
        return None
    return _piece(weights.IMITATION, "only one is an imitation (karaoke, tribute, cover)")


def _imitates(side: Side) -> bool:
    told = clean(f"{side.artist[:LONGEST]} / {side.title}").casefold()
    if _IMITATION.search(told):
        return True
    return bool(side.album) and _IMITATIONS_ALBUM.search(clean(side.album).casefold()) is not None


def apart(a: Side, b: Side) -> int | None:
    """Milliseconds between the durations, None where one is not known. Some sources say 0 for that."""
    if not a.duration_ms or not b.duration_ms or min(a.duration_ms, b.duration_ms) < 0:
        return None
    return abs(a.duration_ms - b.duration_ms)


def _near(a: Side, b: Side) -> bool:
    off = apart(a, b)
    return off is not None and off <= weights.GOOD_MS


def _exact(a: Side, b: Side) -> bool:
    """Are the lengths equal to the millisecond, and measured rather than typed, on albums that are known?"""
    off = apart(a, b)
    return (
        off is not None and off <= weights.EXACT_MS and bool((a.duration_ms or 0) % 1000) and bool(a.album and b.album)
    )


_DURATIONS = (
    (weights.GOOD_MS, weights.DURATION_GOOD),
    (weights.FAIR_MS, weights.DURATION_FAIR),
    (weights.FAR_MS, weights.DURATION_FAR),
    (weights.VETO_MS, weights.DURATION_DOUBT),
)


def _duration(a: Side, b: Side) -> Evidence | None:
    off = apart(a, b)
    if off is None:
        return None
    if _exact(a, b):
        reissued = same_title(a.album, b.album) < 0.9
        weight = weights.DURATION_REISSUED if reissued else weights.DURATION_EXACT
        return _piece(weight, f"equally long to the millisecond{', on two albums' if reissued else ''}")
    weight = next((weight for most, weight in _DURATIONS if off <= most), weights.DURATION_VETO)
    return _piece(weight, f"{off / 1000:.0f} s apart")


def _code(text: str) -> str:
    return "".join(filter(str.isalnum, text[:20])).upper()


def _codes(
    a: tuple[str, ...],
    b: tuple[str, ...],
    read: Callable[[str], str],
    equal: tuple[Weight, str],
    other: tuple[Weight, str],
) -> Evidence | None:
    left, right = ({read(code) for code in codes[:MOST]} - {""} for codes in (a, b))
    if not left or not right:
        return None
    return _piece(*equal) if left & right else _piece(*other)


def _links(a: Side, b: Side) -> Evidence | None:
    """Identifiers elsewhere. Only those of a source that both sides name can differ."""
    if not a.links or not b.links:
        return None
    left, right = set(a.links[:MOST]), set(b.links[:MOST])
    if left & right:
        return _piece(weights.LINK_EQUAL, f"both are {min(left & right)[:80]}")
    shared = {link.partition(":")[0] for link in left} & {link.partition(":")[0] for link in right}
    return _piece(weights.LINK_UNEQUAL, f"other ids of {min(shared)[:40]}") if shared else None


def _supporting(a: Side, b: Side) -> Iterator[Evidence]:
    """Small things that speak for; none speaks against, because recordings are released again and again."""
    if _supports(a.album, b.album, same_title):
        yield _piece(weights.ALBUM_EQUAL, "same album")
    if _supports(a.label, b.label, same_artist):
        yield _piece(weights.LABEL_EQUAL, "same label")
    if a.year and a.year == b.year:
        yield _piece(weights.YEAR_EQUAL, "same year")


def _supports(a: str, b: str, similarity: Callable[[str, str], float]) -> bool:
    """Are two names the same? Those that do not even begin alike are mostly not, and are not looked at closely."""
    if not a or not b:
        return False
    if a == b:
        return True
    left, right = a[:LONGEST].casefold(), b[:LONGEST].casefold()
    alike = left[:3] == right[:3] or Indel.normalized_similarity(left, right) > 0.6
    return alike and similarity(a, b) >= 0.9
