"""What stands before and after the music in a line: time stamps, numbering, bullets, `w/`, radio segments."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(slots=True)
class Marks:
    """What a line's beginning says. time: as written, "1:02:33"; seconds: the same as a number, None for "[??]".

    continued: the line goes on where the one before plays still (`w/`). segment: a radio show's heading for the track.
    """

    time: str = ""
    seconds: int | None = None
    position: str = ""
    continued: bool = False
    segment: str = ""


_CLOCK = r"(?:(?:\d{1,2}[:.h])?\d{1,3}[:'.m]\d{2}(?!\d)[\"s]?|\d{1,2}:\d{2}:\d{2}(?:\.\d{1,3})?)"
_TIME = re.compile(
    rf"(?:\[\s*@?\s*(?P<squared>{_CLOCK}|\d{{1,3}}|[\d?x]{{1,3}}(?::[\d?x]{{2}}){{0,2}})\s*\]"
    rf"|\(\s*(?P<round>(?:\d{{1,2}}:)?\d{{1,3}}:\d{{2}})\s*\)"
    r"|@?(?P<bare>(?:\d{1,2}:)?\d{1,3}:\d{2}(?!\d)))"
    r"\s*(?:-+(?=\s|\[|\()|[:|.>)](?=\s))?\s*",
    re.IGNORECASE,
)
_POSITION = re.compile(
    r"(?:\#\s?(?P<hash>\d{1,3})[.):]?\s+"
    r"|(?P<point>(?:\d{1,2}-)?\d{1,3}|[A-H]{1,2}\d{1,2})(?:\.|\)|\.\)|:)\s+(?=\S)"
    r"|(?P<disc>\d-\d\d)\s+(?:-\s+)?(?=\S)"
    r"|(?P<glued>0\d)-(?=[^\W\d])"
    r"|(?P<padded>0\d)(?:\s*-\s+|\s+)(?=\S)"
    r"|(?P<dashed>\d{1,3})\s+-\s+(?=\S.* - \S))"
)
_BULLET = re.compile(r"[-+*•·●▪►▶→⇒➤»>=~_♫♪🎵🎶|.,;]+\s+|[•·●▪►▶→➤♫♪🎵🎶]+")
_CONTINUED = re.compile(r"(?:\(?w/\)?|\+{1,2}(?=\s)|with:|mixed with)\s*", re.IGNORECASE)
_WEEKS = r"(?:the\s+)?(?:day|week|month|year|show|set|night|decade)"
_SEGMENT = re.compile(
    rf"""(?:\bof\s+{_WEEKS}\b | \bflash ?backs?\b | \bthrow ?backs?\b | \bclassics?\b | \bold ?sk?c?h?ool\b
    | \banthems?\b
      | \bfavou?rites?\b | \bpremi[eè]res?\b | \bexclusives?\b | \bdebuts?\b | \bpicks?\b | \bchoices?\b
      | \bspotlights?\b | \bhighlights?\b | \btrending\b | \bprogressive\ pick | \bweapons?\b | \brewinds?\b
      | \bmemor(?:y|ies)\b | \brequests?\b | \bessentials?\b | \bbombs?\b | \bhot\ ?(?:shot|track|tip|right\ now)s?\b
      | \bopen(?:er|ing)\b | \bclos(?:er|ing)\b | \bencore\b | \bintro\b | \boutro\b | \bcool ?down\b | \bwarm ?up\b
      | \bguest ?mix\b | \bmixtape\b | \bservice\ for\b | \bhall\ of\ fame\b | \bnew\ (?:music|track|entry)\b
      | \btracks?\b | \btunes?\b | \brecords?\b | \bbreak(?:ing|out|down)\b | \bhit\b | \bnumber\ one\b | \bsegment\b
      | \bvinyl\b | \bround\b | \bpart\ \d | \blast\ (?:one|track|tune)\b | \bfirst\ (?:one|track|play)\b
      | \bfan\b | \blisteners?'?\b | \bsecret\b | \btalent\b | \btip\b | \btotw\b | \bbonus\b )""",
    re.IGNORECASE | re.VERBOSE,
)
_LONGEST_SEGMENT = 50


def strip_leading(text: str) -> tuple[str, Marks]:
    """A cleaned line without what stands before the music, and what that said. Marks come in any order."""
    marks = Marks()
    for _ in range(6):
        rest = _one(text, marks)
        if rest == text or not rest:
            break
        text = rest
    return _segment(text, marks), marks


def _one(text: str, marks: Marks) -> str:
    """The text without one more mark, or as it is."""
    first = text[0]
    if (first.isdigit() or first in "[(@") and not marks.time and (match := _TIME.match(text)):
        marks.time = match["squared"] or match["round"] or match["bare"]
        marks.seconds = seconds_of(marks.time)
        return text[match.end() :]
    if not marks.position and (first.isdigit() or first in "#ABCDEFGH") and (match := _POSITION.match(text)):
        marks.position = next(filter(None, match.groups()))
        return text[match.end() :]
    if not marks.continued and first in "wW+(mM" and (match := _CONTINUED.match(text)):
        marks.continued = True
        return text[match.end() :]
    if not first.isalnum() and (match := _BULLET.match(text)):
        return text[match.end() :]
    return text


def seconds_of(time: str) -> int | None:
    """Seconds of "1:02:33", "62:33" or "[62]" (minutes alone, as tracklists write them); None where it is unknown."""
    numbers = re.split(r"[:.'hm\"s]", time.rstrip('"s'))
    if not all(number.isdecimal() for number in numbers):
        return None
    total = 0
    for number in numbers[:3]:
        total = total * 60 + int(number)
    return total * 60 if len(numbers) == 1 else total


def _segment(text: str, marks: Marks) -> str:
    """Cuts "Tune Of The Week: " before an "Artist - Title". Other words before a colon are an artist's."""
    heading, colon, _rest = text[: _LONGEST_SEGMENT + 2].partition(": ")
    if colon and " - " not in heading and " - " in text and is_segment(heading):
        marks.segment = heading.strip(" \"'*[(")
        return text[len(heading) + 2 :].lstrip()
    if text[:1] in ("[", "*") and (match := _SQUARED_SEGMENT.match(text)):
        name = match["squared"] or match["starred"]
        if is_segment(name):
            marks.segment = name.strip()
            return text[match.end() :]
    return text


_SQUARED_SEGMENT = re.compile(r"(?:\[(?P<squared>[^\[\]]{3,50})\]|\*+\s?(?P<starred>[^*]{3,50})\*+)\s*:?\s+(?=\S.* - )")


def is_segment(text: str) -> bool:
    """Does a text sound like a radio show's heading, "Tune Of The Week", "ASOT Flashback"?"""
    return len(text) <= _LONGEST_SEGMENT and bool(_SEGMENT.search(text))


_TRAILING_TIME = re.compile(
    r"\s*(?:@\s*(?P<at>(?:\d{1,2}:)?\d{1,3}:\d{2})"
    r"|[\[(]\s*(?P<held>(?:\d{1,2}:)?\d{1,2}:\d{2})\s*[\])]"
    r"|(?:\s-)?\s(?P<bare>(?:\d{1,2}:)?\d{1,2}:\d{2}))$"
)


def strip_trailing_time(text: str, marks: Marks) -> tuple[str, str]:
    """A cleaned line without the clock at its end, and the duration that it says: "(5:32)"; "" where there is none.

    "@ 1:02:33" and hours are a time stamp, noted in the marks unless they have one.
    """
    if ":" not in text[-16:] or not (text[-1].isdigit() or text[-1] in "])"):
        return text, ""
    match = _TRAILING_TIME.search(text, max(0, len(text) - 16))
    if not match or not text[: match.start()].strip():
        return text, ""
    if match["bare"] and " - " in text and " - " not in text[: match.start()]:
        return text, ""  # "The Strokes - 12:51"
    text, clock = text[: match.start()].rstrip(" -"), next(filter(None, match.groups()))
    if not marks.time and (match["at"] or clock.count(":") > 1):
        marks.time, marks.seconds = clock, seconds_of(clock)
        return text, ""
    return text, clock
