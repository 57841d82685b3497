"""Which grammar a line needs: a track's, or a line-up's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from enrichment.domain.parsing.credits import Known, is_well_known
from enrichment.domain.parsing.lines import Line, read_line
from enrichment.domain.parsing.lineups import read_lineup, squeezed

_LOOKED_AT = 1000
_BACK_TO_BACK = re.compile(r"\b(?:b[2-5]b|f2f)\b", re.IGNORECASE)
_HEADED = re.compile(r"^\W*(?:line[\s-]?up\b|\w[\w.'-]*(?:\s\w[\w.'-]*){0,3}:\s*,)", re.IGNORECASE)
_LISTED = re.compile(r",\s*,|\s,|,\s*tba\b", re.IGNORECASE)
_ACTED = re.compile(r"\s(?:\*|/)\s?(?:live|dj[ -]set|hybrid)\b", re.IGNORECASE)
_PROMISED = re.compile(
    r"\W*(?:(?:and|more|special|secret|surprise|line[\s-]?up|acts?|artists?|names?|very|to be|will be|soon)\s+)+"
    r"(?:tb[acd]|guests?|announced|confirmed|line[\s-]?up|act)\W*",
    re.IGNORECASE,
)
# Resident Advisor's pages leave a no-break space behind each name that is a link.
_LINKED = re.compile("\u00a0\\s*(?:,|$|b[2-5]b)|^(?:[^\\s,]+\u00a0){3}", re.IGNORECASE)


def looks_like_lineup(text: str) -> bool:
    """Does a text list an event's performers rather than name a track?"""
    text = squeezed(text[:_LOOKED_AT])
    if _LINKED.search(text):
        return True
    text = text.replace("\u00a0", " ")
    commas, dash = text.count(","), text.find(" - ")
    if _HEADED.match(text) or (commas > 1 and _LISTED.search(text)):
        return True
    if dash >= 0:
        return commas > 3 and text.count(" - ") > 1 and text.count(",", dash) > 2
    return commas > 2 or _BACK_TO_BACK.search(text) is not None or _ACTED.search(text) is not None


def read(text: str, known: Known = is_well_known) -> Line:
    """A line taken apart by the grammar that suits it. `clear` is False where another reading is as likely."""
    if looks_like_lineup(text):
        return read_lineup(text, known)
    line = read_line(text, known)
    if line.kind == "title" and not line.clear and _PROMISED.fullmatch(line.title):
        return read_lineup(text, known)
    if line.kind == "title" and "," in line.title and not line.clear:
        return read_lineup(text, known)._replace(clear=False)  # "Kate Garvey, Rauul"; titles seldom hold a comma
    return line


def read_all(texts: Iterable[str], known: Known = is_well_known) -> Iterator[Line]:
    """Lines of one text, each read in the light of those before.

    A bare name is a performer where most of the lines before that could be told were line-ups, or where the dictionary
    knows it, else a title.
    """
    lineups = tracks = 0
    for text in texts:
        line = read(text, known)
        if line.clear:
            lineups += line.kind == "lineup"
            tracks += line.kind == "track"
        elif line.kind == "title" and (lineups > tracks or known(line.full_title)):
            line = read_lineup(text, known)
        yield line


_SQUARED_GUESTS = re.compile(r"\s*\[(?:feat|ft)\b[^\[\]]*\]$", re.IGNORECASE)
_LONE_LIVE = re.compile(r"\s*[(\[]live[)\]]$", re.IGNORECASE)


def split_video(text: str, artist: str = "", title: str = "") -> tuple[str, str]:
    """(artist, title) of a video's title, the title with its guests and version, without noise and lone "[LIVE]".

    artist, title: what to take where the text tells only one of them, as a channel's or a playlist's name does.
    """
    line = read_line(text)
    if not line.credit:
        return (artist or line.title, title) if title else (artist, line.full_title)
    told = _LONE_LIVE.sub("", _SQUARED_GUESTS.sub("", line.full_title))
    return line.credit, told or line.full_title
