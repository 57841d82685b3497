"""What is compared, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

from enrichment.domain.parsing import read_line
from enrichment.domain.subjects import Kind, clean_value
from enrichment.domain.text import REMEMBERED

_MANY = 10**21
MOST = 50
"""Codes and links looked at on one side."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two recordings, performers or albums to compare; what is not known stays empty.

    artist: the whole credit as written, several performers joined by ", ". duration_ms: milliseconds. links: what names
    it elsewhere, as "source:id". fans: its audience, in whatever unit the source counts. unknown: a tracklist's line
    that says nobody knows the track ("ID - ID").
    """

    artist: str = ""
    title: str = ""
    album: str = ""
    duration_ms: int | None = None
    isrc: tuple[str, ...] = ()
    year: int | None = None
    label: str = ""
    id: str = ""
    links: tuple[str, ...] = ()
    fans: float | None = None
    unknown: bool = False


Verdict = Literal["same", "different", "unsure"]


@dataclass(frozen=True, slots=True)
class Match:
    """score: 0 to 1, how sure it is that both are the same. reasons: what spoke for and against, with its weight."""

    verdict: Verdict
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


def side_of(told: Mapping[str, Any]) -> Side:
    """A side from JSON: "line" (one raw tracklist line) or any of artist, title, album, duration_ms, isrc (one or a
    list), year, label; also artists (a list of names), links, fans and id. What a line says yields to what is named.

    Values of a wrong type count as not known; numbers may come as text.
    """
    line = told.get("line")
    credit, title, of_label, unknown = _of_line(line) if isinstance(line, str) and line.strip() else _NO_LINE
    return Side(
        artist=_text(told.get("artist")) or ", ".join(_texts(told.get("artists"))) or credit,
        title=_text(told.get("title")) or title,
        album=_text(told.get("album")),
        duration_ms=_whole(told.get("duration_ms")),
        isrc=_texts(told.get("isrc")),
        year=_whole(_text(told.get("year"))[:4]) or None,
        label=_text(told.get("label")) or of_label,
        id=_text(told.get("id")),
        links=_texts(told.get("links")),
        fans=_number("bpm", told.get("fans")),
        unknown=unknown and not told.get("title"),
    )


_NO_LINE = ("", "", "", False)


@lru_cache(REMEMBERED)
def _of_line(text: str) -> tuple[str, str, str, bool]:
    """A line's artists as credited, its title with version and guests, its label, and whether nobody knows it."""
    line = read_line(text)
    return line.credit, line.full_title, line.label, line.unknown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if type(value) is int and abs(value) < _MANY else ""


def _texts(value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    if value is None:
        return ()
    listed: Iterable[Any] = value if isinstance(value, list | tuple) else (value,)
    return tuple(filter(None, map(_text, islice(listed, MOST))))


def _whole(value: Any) -> int | None:
    number = _number("duration_ms", value)
    return number if isinstance(number, int) else None


def _number(field: str, value: Any) -> Any:
    """A number as the field has it, also from text; none is larger than an age of the universe in milliseconds."""
    if value is None or value == "":
        return None
    number = clean_value(Kind.TRACK, field, value[:40] if isinstance(value, str) else value) if _small(value) else None
    return number if number is not None and abs(number) < _MANY else None


def _small(value: Any) -> bool:
    """Not one of those whole numbers that no float holds."""
    return type(value) is not int or abs(value) < _MANY
