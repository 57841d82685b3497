"""Which grammar a line needs: a track's, or a line-up's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dataclasses import replace

from enrichment.domain.parsing.credits import Known, is_well_known
from enrichment.domain.parsing.lines import Line, read_line, readable
from enrichment.domain.parsing.lineups import read_lineup

_BACK_TO_BACK = re.compile(r"\b(?:b[2-5]b|f2f)\b", re.IGNORECASE)
_STAGED = re.compile(r"^\W*\w[\w.'-]*(?:\s\w[\w.'-]*){0,3}:\s*,|,\s*,|\s,|,\s*tba\b|^\W*line-?up\b", re.IGNORECASE)
_ACTED = re.compile(r"(?:[(\[*/]|\s)(?:live|dj[- ]set|hybrid)[)\]*/]?\s*(?:,|$)", re.IGNORECASE)


_LINKED_END = re.compile("\u00a0\\s*(?:,|$|b[2-5]b)|^[\\w.]+\u00a0[\\w.]+\u00a0", re.IGNORECASE)


def looks_like_lineup(text: str) -> bool:
    """Does a text list an event's performers rather than name a track?"""
    if _LINKED_END.search(text[:1000]):
        return True
    text = text[:1000].replace("\u00a0", " ")
    dash = text.find(" - ")
    commas = text.count(",")
    if commas > 1 and _STAGED.search(text):
        return True
    if dash >= 0:
        return commas > 3 and text.count(",", dash) > 2
    return bool(commas or _BACK_TO_BACK.search(text) or _ACTED.search(text) and "(" not in text[:1]) and "_" not in text[:12]


def read(text: str, known: Known = is_well_known) -> Line:
    """A line taken apart by the grammar that suits it. `clear` is False where another reading is as likely."""
    if looks_like_lineup(text):
        line = read_line(text, known) if "," not in text and not _BACK_TO_BACK.search(readable(text)) else None
        if line is None or line.clear is False:
            return read_lineup(text, known)
        return line if line.kind == "track" or line.versions != ("live",) else read_lineup(text, known)
    return read_line(text, known)


def read_all(texts: Iterable[str], known: Known = is_well_known) -> Iterator[Line]:
    """Lines of one text, each read in the light of those before.

    A bare name is a performer where most of the lines before that could be told were line-ups, else a title.
    """
    lineups = tracks = 0
    for text in texts:
        line = read(text, known)
        if not line.clear and line.kind == "title" and (lineups > tracks or _performer(line, known)):
            line = read_lineup(text, known)
        elif line.clear:
            lineups += line.kind == "lineup"
            tracks += line.kind == "track"
        yield line


def _performer(line: Line, known: Known) -> bool:
    return known(line.title)


def split_video(text: str, artist: str = "", title: str = "") -> tuple[str, str]:
    """(artist, title) of a video's title, the title with its guests and version, without noise and lone "[LIVE]".

    artist, title: what to take where the text tells only one of them, as a channel's or a playlist's name does.
    """
    line = read_line(text)
    if not line.credit:
        return (artist or line.title, title) if title else (artist, line.full_title)
    if line.full_title.endswith("]"):
        line = replace(line, full_title=_SQUARED_GUESTS.sub("", line.full_title))
    return line.credit, _LONE_LIVE.sub("", line.full_title) or line.full_title


_SQUARED_GUESTS = re.compile(r"\s*\[(?:feat|ft)\b[^\[\]]*\]$", re.IGNORECASE)
_LONE_LIVE = re.compile(r"\s*[(\[]live[)\]]$", re.IGNORECASE)

