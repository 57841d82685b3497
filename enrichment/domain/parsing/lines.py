"""One line of a tracklist, one video title, one file name: taken apart."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from enrichment.domain.parsing import filenames, marks
from enrichment.domain.parsing.credits import Artist, Known, is_well_known, read_credit, unique
from enrichment.domain.parsing.noise import is_noise, is_only_noise, strip_tail, trimmed, unquoted
from enrichment.domain.parsing.versions import Title, is_label, is_version, read_label, read_title
from enrichment.domain.text import REMEMBERED, clean, search_text, title_key

LineKind = Literal["track", "title", "lineup"]


@dataclass(frozen=True, slots=True)
class Part:
    """One element of a mash-up."""

    artists: tuple[Artist, ...]
    title: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A heading in a line-up and how many of its artists stand under it."""

    name: str
    artists: int


class Line(NamedTuple):
    """A line taken apart; "" and () and None for what it does not say. A tuple, because a frozen dataclass of so many
    fields takes ten times as long to make.

    kind: "track"; "title" where no artist is told from the title; "lineup" of an event. credit: the artists as written.
    title: the name alone; full_title: with version and guests, as written. version: as written; versions: what sorts
    ("remix", "extended", "live", "remaster" …). year: of the version, else the one in brackets. time, seconds: when
    it was played; duration: as written at the line's end. unknown: nobody can look it up ("ID - ID", "tba").
    """

    raw: str
    kind: LineKind = "track"
    artists: tuple[Artist, ...] = ()
    credit: str = ""
    title: str = ""
    full_title: str = ""
    version: str = ""
    versions: tuple[str, ...] = ()
    year: int | None = None
    label: str = ""
    catno: str = ""
    time: str = ""
    seconds: int | None = None
    duration: str = ""
    position: str = ""
    segment: str = ""
    continued: bool = False
    flags: tuple[str, ...] = ()
    mashup: tuple[Part, ...] = ()
    stages: tuple[Stage, ...] = ()
    unknown: bool = False
    clear: bool = True
    """False where another reading is as likely: a bare name is a title, or a performer."""

    @property
    def search(self) -> str:
        """The title to search an upstream with; "" for an unknown one."""
        return "" if self.unknown else search_text(self.full_title)

    @property
    def key(self) -> str:
        """The title's identity, the version kept; "" for an unknown one."""
        return "" if self.unknown else title_key(self.full_title)

    def as_json(self) -> dict[str, Any]:
        """What is known of it, ready for JSON: absent is not known. `forms` are raw, search and key of the title."""
        told: dict[str, Any] = {"kind": self.kind, "artists": [_told(artist) for artist in self.artists]}
        for name in _TEXTS:
            if value := getattr(self, name):
                told[name] = list(value) if isinstance(value, tuple) else value
        if self.seconds is not None:
            told["seconds"] = self.seconds
        if self.mashup:
            told["mashup"] = [
                {"artists": [_told(artist) for artist in part.artists], "title": part.title} for part in self.mashup
            ]
        if self.stages:
            told["stages"] = [{"name": stage.name, "artists": stage.artists} for stage in self.stages]
        told["unknown"] = self.unknown
        if self.title and not self.unknown:
            told["forms"] = {"raw": self.full_title, "search": self.search, "key": self.key}
        told["raw"] = self.raw
        return told


_TEXTS = (
    *("credit", "title", "full_title", "version", "versions", "year", "label", "catno", "time", "duration"),
    *("position", "segment", "continued", "flags"),
)


def _told(artist: Artist) -> dict[str, str]:
    told = {"name": artist.name, "role": artist.role}
    if artist.aka:
        told["aka"] = artist.aka
    if artist.act:
        told["act"] = artist.act
    return told


_ENTITY = re.compile(r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp|eacute|uuml|ouml|auml);")


def readable(text: str) -> str:
    """`text.clean`, with the HTML entities of scraped pages read."""
    if "&" in text and ";" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text[:1000])
    return clean(text)


_UNKNOWN = re.compile(
    r"(?:[\[(]?(?:(?:track|tune|song)\s)?i\.?d\.?\s?\#?\d{0,3}\??[\])]?|\W*\?[\s?]*|\.{2,}|…+|_{2,}|-+"
    r"|(?:un(?:known|identified|bekannt)|desconocid[oa]|inconnue?|sconosciuto|no\ name"
    r"|неизвест\w+)(?:\s(?:artists?|track|title|tune|song|id|dj))*(?:\s\d+)?"
    r"|track\s?\#?\d+|(?:untitled|no)\s+id|n/?a|t\.?b\.?[ac]\.?|to\ be\ (?:announced|confirmed)|\?+\s?id\s?\?*)",
    re.IGNORECASE,
)
_ID_AT_END = re.compile(r"(?:^|.*\s)(?P<before>\S*[^\s,])\s+ID(?:\s?\d{1,3}|\s[A-Z])?(?:\s/.*)?$")
_ID_WORD = re.compile(r"\bID\b")
_ID_SONGS = frozenset(("fake", "caller", "photo", "my", "your", "the", "valid"))
_ID_VERSION = re.compile(r"(?:^|/\s)ID\b")


@lru_cache(REMEMBERED)
def is_unknown(text: str) -> bool:
    """Is a name one of those that stand for "nobody knows": "ID", "?", "Unknown Artist", "tba", "Track 03"?"""
    return len(text) <= 60 and _UNKNOWN.fullmatch(text.strip()) is not None


def _unknown_title(title: Title) -> bool:
    """Does nobody know the recording? "Lillo ID" is what fans call it, "(ID Remix)" one that nobody has named yet."""
    if is_unknown(title.name.split(" - ")[0]) or _ID_VERSION.search(title.version):
        return True
    if "working title" in title.flags and _ID_WORD.search(title.name):
        return True
    ended = _ID_AT_END.match(title.name) if "ID" in title.name else None
    return ended is not None and ended["before"].lower() not in _ID_SONGS


_DASH = re.compile(r"\s+[-~]+\s+")
_LOOSE_DASH = re.compile(
    r"(?<=[^\s-])-\s+|\s+-(?=[^\s-])|(?<!/)/{2,3}\s+|(?<!-)--|\s_\s|\s/\s(?=[^/]*$)|\s*[:：]\s+(?=\")"
)


def _cuts(text: str, rule: re.Pattern[str]) -> Iterator[str]:
    """The text cut where the rule matches outside of brackets."""
    start, looked, depth = 0, 0, 0
    for match in rule.finditer(text):
        between = text[looked : match.start()]
        depth += sum(map(between.count, "([{")) - sum(map(between.count, ")]}"))
        looked = match.start()
        if depth <= 0 and text[start : match.start()].strip():
            yield text[start : match.start()].strip()
            start, depth = match.end(), 0
    if text[start:].strip():
        yield text[start:].strip()


_QUOTED = re.compile(r"^(?P<artist>[^\"]*[^\"\s(\[])\s*\"(?P<title>[^\"]{1,200})\"(?P<rest>[^\"]*)$")
_BY = re.compile(r"^\"(?P<title>[^\"]+)\"\s+by\s+(?P<artist>\S.*)$", re.IGNORECASE)
_CORNERS = str.maketrans("「」『』", '""""')
_STARRED = re.compile(r"\s*(?<!\*)\*{1,3}\s?[^\s*][^*]{0,30}\*{1,3}$")


def read_line(text: str, known: Known = is_well_known) -> Line:
    """A track's line taken apart, whatever wrote it: tracklist, video site, file system. Never raises.

    known: is this the whole name of a performer? Asked before a name is cut at "&" and the like.
    """
    raw = text
    line, position, filed = filenames.opened(readable(text))
    if not line:
        return Line(raw, kind="title", unknown=True)
    body, found = marks.strip_leading(line)
    body, duration = marks.strip_trailing_time(body, found)
    found.position = found.position or position
    sure = filed or bool(found.time or found.position or found.continued)
    credit, rest, label = _halves(_without_tail(body), known, sure=sure)
    title = read_title(rest, known)
    if label and not title.label:
        title.label, title.catno = read_label(label)
    return _made(credit, title, found, raw=raw, duration=duration, known=known)


def _without_tail(body: str) -> str:
    """Without "**NEW**" and what a video site appends behind pipes."""
    if body.endswith("*"):
        body = _STARRED.sub("", body) or body
    if " | " in body:
        pieces = [piece.strip() for piece in body.split(" | ")]
        told = [piece for piece in pieces if " - " in piece] or [piece for piece in pieces if piece]
        body = told[0] if told else body
    return body


def _halves(body: str, known: Known, *, sure: bool) -> tuple[str, str, str]:
    """(credit, title, label) of a line. credit "": the line tells no artist from the title.

    sure: something beside says that it is a track's line, so that "Leftfield - Original" has an artist.
    """
    chunks = list(_cuts(body, _DASH))
    if len(chunks) < 2:
        return _undashed(body)
    if len(chunks) == 2:
        credit, rest = chunks
        if body[0] in "-~" or is_version_alone(rest, sure=sure) or is_only_noise(rest):
            return "", body, ""
        return credit, rest, ""
    return _many(chunks, known)


def is_version_alone(part: str, *, sure: bool = False) -> bool:
    """Is it a version and nothing else, so that what stands before is a title: "Live", "Remastered 2015"?

    sure: a title is expected here, and one word may be one.
    """
    if len(part) > 60 or "(" in part or "[" in part or (sure and " " not in part):
        return False
    return _ALONE.fullmatch(part) is not None


_ALONE = re.compile(
    r"""(?:live(?:\ (?:at|from|in|on|version|session)\b.*|\ /.*)? | en\ vivo.* | ao\ vivo.*
      | (?:\d{4}\ )?(?:digital(?:ly)?\ )?re-?master(?:ed)?(?:\ (?:version|in|edition|\d{4}).*)?(?:\ /.*)?
      | \d{4}\ (?:version|mix|re-?recording)
      | (?:original|single|album|radio|extended|short|long|mono|stereo|instrumental|acoustic|demo|club|full
      |explicit|clean)\ (?:version|mix|edit)\b.*
      | radio\ edit | instrumental | acoustic | acapp?ella | demo | mono | stereo | re-?recorded.*
      | bonus\ track | karaoke.* | vip | remix
      | original(?:\ (?:7|12)"?\ (?:version|mix))? | (?:deluxe|expanded|special|legacy|anniversary)\ edition)""",
    re.IGNORECASE | re.VERBOSE,
)
_TRACK_NUMBER = re.compile(r"^(?:\d{1,2}$|0\d[a-d]?[.)]?\s+(?=\D)|\d\d[a-d][.)]?\s+(?=\D))")
_LATER_NUMBER = re.compile(r"^(?:\d{1,2}$|\d\d[a-d]?[.)]?\s+(?=\D))")


def _many(chunks: list[str], known: Known) -> tuple[str, str, str]:
    """Three or more chunks: artist, title and then album, label, version or noise, in an order that files vary."""
    for at, chunk in enumerate(chunks[1:], 1):
        numbered = (_TRACK_NUMBER if at == 1 else _LATER_NUMBER).match(chunk)
        if numbered:  # "Artist - Album - 03 - Title", "Label - Artist - 03 Title"
            title = [chunk[numbered.end() :], *chunks[at + 1 :]]
            return _credited(chunks[:at]), " - ".join(filter(None, title)), ""
    label = ""
    while len(chunks) > 2 and is_only_noise(chunks[-1]):
        chunks = chunks[:-1]
    for at in range(2, len(chunks)):
        if is_label(chunks[at]):  # "Artist - Title - Label", "Artist - Title - Label - Album"
            label, chunks = chunks[at], chunks[:at]
            break
    if len(chunks) == 3 and known(chunks[1]) and not known(chunks[0]):
        return chunks[1], chunks[0], label or chunks[2]
    if len(chunks) > 2 and _bracketed_version(chunks[1]) and not is_version_alone(chunks[2]):
        label, chunks = label or chunks[2], chunks[:2]  # "Artist - Title (Some Remix) - Label - Album"
    return chunks[0], " - ".join(chunks[1:]), label


def _credited(before: list[str]) -> str:
    """The artist of "Label - Artist - 03 Title", or of "Artist - Album - 03 - Title"."""
    return before[1] if len(before) == 2 and is_label(before[0]) else before[0]


def _bracketed_version(chunk: str) -> bool:
    opened = chunk.rfind("(")
    return opened > 0 and chunk.endswith(")") and is_version(chunk[opened + 1 : -1], "(")


def _undashed(body: str) -> tuple[str, str, str]:
    """A line without " - ": quotes or a dash without its spaces may still tell artist and title apart."""
    quoted = body.translate(_CORNERS) if any(mark in body for mark in "「『") else body
    if by := _BY.match(quoted):
        return by["artist"], by["title"], ""
    if quoted.count('"') == 2 and (match := _QUOTED.match(quoted)):
        rest = match["rest"].strip()
        if not rest or rest[0] in "([" or is_noise(rest) or is_noise(rest.split(" (")[0]):
            return strip_tail(match["artist"]), match["title"] + (f" {rest}" if rest[:1] in ("(", "[") else ""), ""
    chunks = list(_cuts(body, _LOOSE_DASH))
    if len(chunks) == 2 and not is_version_alone(chunks[1]) and not is_only_noise(chunks[1]):
        return chunks[0], chunks[1], ""
    return "", body, ""


_HANDLE = re.compile(r"(?<=\S)\s*(?:\(@[\w.]+\)|\[(?!\s*(?:feat|ft\b|vs\b|with\b))[^\[\]]*\](?=.*\w|$))")


def _made(credit: str, title: Title, found: marks.Marks, *, raw: str, duration: str, known: Known) -> Line:
    if "(@" in credit or "[" in credit:
        credit = _HANDLE.sub("", credit)
    credit = unquoted(trimmed(credit))
    named = _told_of(credit, known) if credit else ()
    beside = (_owner(artist, named) for artist in title.artists if not is_unknown(artist.name))
    elements = _mashup(credit, title, named, known)
    unknown = _unknown_title(title) or bool(credit and (is_unknown(credit) or not named))
    unknown = unknown or any(is_unknown(part.title) for part in elements)
    return Line(
        raw,
        kind="track" if credit else "title",
        artists=unique((*named, *beside)),
        credit=credit,
        title=title.name,
        full_title=title.full,
        version=title.version,
        versions=title.kinds,
        year=title.year,
        label=title.label,
        catno=title.catno,
        time=found.time,
        seconds=found.seconds,
        duration=duration,
        position=found.position,
        segment=found.segment or title.segment,
        continued=found.continued,
        flags=title.flags,
        mashup=elements,
        unknown=unknown,
        clear=bool(credit or title.noisy or unknown) or title.version.lower() not in ("", "live"),
    )


def _owner(remixer: Artist, named: tuple[Artist, ...]) -> Artist:
    """A performer's own version bears an occasion beside the name: "Hardwell UMF 2016 Mashup"."""
    if remixer.role == "remixer":
        for artist in named:
            if remixer.name.casefold().startswith(f"{artist.name.casefold()} "):
                return remixer._replace(name=artist.name)
    return remixer


def _told_of(credit: str, known: Known) -> tuple[Artist, ...]:
    return tuple(artist for artist in read_credit(credit, known) if not is_unknown(artist.name))


_VERSUS = re.compile(r"\s+(?:vs\.?|versus)\s+", re.IGNORECASE)


def _mashup(credit: str, title: Title, named: tuple[Artist, ...], known: Known) -> tuple[Part, ...]:
    """The elements of "A vs. B - X vs. Y": as many groups as titles, or all titles by the one group."""
    titles = list(_cuts(title.name, _VERSUS)) if "vs" in title.name.lower() or "versus" in title.name.lower() else []
    if len(titles) < 2:
        return ()
    groups = list(_cuts(credit, _VERSUS))
    if len(groups) == len(titles):
        return tuple(Part(_told_of(group, known), name) for group, name in zip(groups, titles, strict=True))
    shared = named if len(groups) == 1 else ()
    return tuple(Part(shared, name) for name in titles)
