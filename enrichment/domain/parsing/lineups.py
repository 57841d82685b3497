"""Line-ups of events: who plays, under which stage, and what in the text is none of both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice

from enrichment.domain.parsing.credits import Artist, Known, is_well_known, read_credit, unique
from enrichment.domain.parsing.lines import Line, Stage, is_unknown
from enrichment.domain.text import LONGEST, REMEMBERED, clean

LONGEST_LINEUP = 3_000
"""Characters looked at. Of 1,144 real line-ups the longest has 3,800, for its greater part prose, the next 761."""

_ITEMS = re.compile(r"\s*(?:[\n\r;|•]|,(?!\d{3}\b)|\s//+\s|\s\+\s(?=\w+\s*(?:,|$)))\s*")
_DECORATION = re.compile(r"^(?:[^\w@?!\"'&(\[.*#:]|[-*.](?=\s|\w{3})|[^\w\s]{2,}\s|@(?=\w))+\s*")
_TRAILING = re.compile(r"[^\w)\]!?.\"'$*+]+$")
_HOURS = re.compile(
    r"^\(?(?:\d{1,2}(?:[:.h]\d{2})?|end|start|open)\s*(?:-|–|to|bis)\s*(?:\d{1,2}(?:[:.h]\d{2})?|end|ende|close"
    r"|late|open end)\)?(?:\s*h|\s*uhr)?\s*[:|-]?\s+",
    re.I,
)
_HOUR = re.compile(r"^\(?\d{1,2}[:.h]\d{2}\)?(?:\s*h|\s*uhr|\s*[ap]m)?\s*[:|-]?\s+", re.I)
_HOURS_AFTER = re.compile(
    r"\s+[(\[]?\d{1,2}(?:[:.h]\d{2})?\s*-\s*(?:\d{1,2}(?:[:.h]\d{2})?|end|close|late)(?:\s*h|\s*uhr)?[)\]]?$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^(?:[-*+•.]|//+)\s*(?=\S)")

_ACTS = {
    "live": r"(?:\w+\s)?live(?:\s(?:set|act|pa|show|band|av|a/v|in concert))?(?:\s(?:mit|with|on)\s.*)?|concert"
    r"|konzert|live\s?pa|in concert",
    "hybrid": r"hybrid(?:\s(?:set|live|act|dj|live set))?",
    "dj set": r"dj(?:[\s-]set)?|d\.?j\.?-?set|opening dj-?set.*",
    "all night": r"all\s(?:night|day)(?:\s(?:long|set))?|\d{1,2}\s?(?:h|hrs?|hours?)(?:\sset)?|extended set",
    "performance": r"drag|performance|dance(?:r|show)?|visuals?|vj|mc|host(?:ed)?|percussion|vocals?"
    r"|sax(?:ophone)?|vinyl(?: only| set)?|special set|opening|closing|warm ?up|a/?v(?: show| set)?",
}
_ACT = re.compile("|".join(f"(?P<a{at}>{rule})" for at, rule in enumerate(_ACTS.values())), re.IGNORECASE)
_ACT_NAMES = {f"a{at}": name for at, name in enumerate(_ACTS)}
_ACT_TAIL = re.compile(
    r"\s+(?:-\s+)?(?:[*/(\[]{0,2})(?P<act>LIVE(?:\s(?:SET|ACT|PA|AV))?|[lL]ive(?:\s(?:set|act|pa|av|show|A/V))?"
    r"|[hH]ybrid(?:\s(?:[sS]et|[lL]ive|[aA]ct))?|HYBRID(?:\sSET)?|[dD][jJ][- ][sS][eE][tT]"
    r"|all night long)(?:[*/)\]]{0,2})$"
)
_BRACKET = re.compile(
    r"\s*(?:\((?P<round>[^()]*(?:\([^()]*\)[^()]*)*)\)|\[(?P<square>[^\[\]]*)\]|\*(?P<star>[^*]{1,30})\*?"
    r"|/(?P<slash>[^/]{1,20})/)"
)
_KEPT_BRACKET = re.compile(r"\d{1,3}|[A-Z]{2,3}|(?:[A-Z]\s){1,3}[A-Z]|[A-Z]{2}[/-][A-Z]{2}")
_MEMBERS = re.compile(r"\s(?:b[2-5]b|f2f|&|\+|and|vs\.?|x)\s", re.IGNORECASE)

_PLACEHOLDER = re.compile(
    r"""(?:[@+&\s*.…-]*(?:(?:and|with|plus|many|line[\s-]?up|headliner|details|acts?|artists?
        |names?|djs?|guests?|still|programm?)\s+)*
      (?:t\.?b\.?[acd]\.?|to\ be\ (?:announced|confirmed|added)|tba.*|.*\btba\W*|.*\bto\ be\ announced.*
      |.*\b(?:more|further)\b.*\b(?:tba|come|soon|announced|artists?|acts?|names?|info|guests?|djs?)\b.*
        |(?:and\ )?(?:many\ |much\ )?more|soon|coming\ soon|.*\bcoming\ soon\b.*|(?:very\ )?(?:special|secret
        |surprise|mystery)\b.*|.*\bspecial\ guests?\b.*|secret\ line-?up
        |(?:and\ |the\ |unknown\ |local\ |our\ )*(?:residents?|friends?|guests?|support|crew|others
        |resident\ djs?|friends\ and\ family|djs?|allstars|family)
        |aftershow\ dj|after\ ?party|open\ decks?|.*\bresidents\b.*|n/?a|line[\s-]?up|lineup\b.*
        |\(?a\s?-\s?z\)?|announced?\ .*|release[d]?\ .*|\W*)\W*)""",
    re.IGNORECASE | re.VERBOSE,
)
_AND_FRIENDS = re.compile(
    r"\s*(?:\+|&|and|und|feat\.?|with|w/|,)\s+(?:special\s+)?(?:friends|guests?|special guests?|crew|support"
    r"|residents|more|others|tba|family|many more)\b.*$",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r"\b(?:tickets?|entry|eintritt|presale|doors?|free before|join us|https?:|www\.|€|euros?|guestlist only"
    r"|dress ?code|years and over|we will|will be|please|limited|veranstaltung|einlass|anniversary of|hosted by"
    r"|presented by|performance by|"
    r"bookings?|facebook|instagram|info(?:s|rmation)?|awareness|halloween|birthday|edition|festival|showcase)\b"
    r"|!\s*$",
    re.IGNORECASE,
)
_INSTRUMENTS = re.compile(
    r"(?:(?:(?:lead|double|bass|electric|alto|tenor)\s)?(?:voice|vocals?|drums?|bass|guitars?|piano|keys"
    r"|keyboards?|synthesi[sz]ers?|synths?|electronics?|trombone|trumpet|violin|viola|cello|saxophone|sax|flute"
    r"|clarinet|percussion|organ|harp|turntables|modular|samples|fx)(?:\s*(?:,|&|and|\+)\s*)?)+",
    re.IGNORECASE,
)
_STAGE_WORD = re.compile(
    r"(?:(?:[\w'’]+[\s-]){0,3}(?:stage|floor|room|bar|hall|halle|garden|garten|terrace|terrasse|arena|basement"
    r"|keller|main|area|tent|zelt|dome|deck|rooftop|club|open air|outdoor|indoor|bogen|kubus|saal|yard|hof"
    r"|lounge|loft|cage|machina)"
    r"|main\s?(?:stage|floor|room)|berghain|panorama bar|s[äa]ule|lab\.oratory|globus|tresor|aurora bar"
    r"|xxx floor|inside|outside|upstairs|downstairs|friday|saturday|sunday|monday|thursday|freitag|samstag"
    r"|sonntag|[oe]xtra+)",
    re.IGNORECASE,
)
_LABEL_TAIL = re.compile(r"\s+[-–|]\s+.*$")
_BACK_TO_BACK = re.compile(r"\s+(?:b[2-5]b|f2f)\s+", re.IGNORECASE)
_AKA = re.compile(r"\s+(?:aka|a\.k\.a\.?|alias|formerly)\s+", re.IGNORECASE)
_LONGEST_ITEM = 200
_LONGEST_NAME = 80
_MOST_ITEMS = 200
_WORDY = 7
"""A name has fewer words than this; what has more is a sentence."""


def read_lineup(text: str, known: Known = is_well_known) -> Line:
    """The performers of a line-up's text, in order, each once. Never raises.

    unknown: nobody is named, but that somebody will be ("tba"). What stands in brackets behind a name is an act
    ("live"), a part of the name ("(DE)", "(2)"), the members ("Funguys (A b2b B)"), or the label or town: left out.
    """
    raw = text
    artists: list[Artist] = []
    stages: list[Stage] = []
    items = list(islice(_items(squeezed(text[:LONGEST_LINEUP])), _MOST_ITEMS))
    pending = False
    for at, item in enumerate(items):
        if not item:
            continue
        opens = at == 0 or not items[at - 1]
        heading, rest = _heading(item, opens=opens, follows=at + 1 < len(items))
        if heading:
            stages.append(Stage(heading, 0))
        if not rest:
            continue
        found = _performers(rest, known)
        pending = pending or not found
        artists += found
        if stages:
            stages[-1] = replace(stages[-1], artists=stages[-1].artists + len(found))
    named = unique(artists)
    return Line(raw, kind="lineup", artists=named, stages=tuple(stages), unknown=not named)


# Resident Advisor's pages leave a no-break space behind a name that is a link; often it is all that parts two names.
_LINKED = re.compile(
    r"\u00a0[^\S\n]?(?!(?:b[2-5]b|f2f|x|vs\.?|pres\w*\.?|aka|live|hybrid|dj.?set|will|and|und|with|feat\.?"
    r"|ft\.?|meets|alias|from|at|on|\d[\d:. -]*)(?:\W|$))(?=[\w@])",
    re.IGNORECASE,
)


_RUNS = re.compile(r"[^\S\n]{2,}")


def squeezed(text: str) -> str:
    """A text with one space for each run of them; a no-break space says more than others and stays."""
    return _RUNS.sub(lambda run: "\u00a0" if "\u00a0" in run[0] else " ", text)


def _items(text: str) -> Iterator[str]:
    """The items between commas, bullets and line breaks, cleaned; "" where a line was empty."""
    _depth, held = 0, ""
    for line in _LINKED.sub(", ", text).replace("\u00a0", " ").split("\n"):
        for piece in _ITEMS.split(_readable(line)):
            held = f"{held}, {piece}" if held else piece
            if ("(" in held or "[" in held) and len(held) < _LONGEST_NAME and _open(held):
                continue
            yield held.strip()
            held = ""
    if held:
        yield held.strip()


def _open(text: str) -> bool:
    return text.count("(") + text.count("[") > text.count(")") + text.count("]")


def _readable(line: str) -> str:
    """`text.clean` without its limit."""
    return " ".join(clean(line[at : at + LONGEST]) for at in range(0, len(line), LONGEST))


def _heading(item: str, *, opens: bool, follows: bool) -> tuple[str, str]:
    """(stage, what follows it in the same item): "Berghain:", "GLOBUS" after an empty line, "Tresor: A b2b B"."""
    if len(item) > _LONGEST_ITEM:
        return "", item
    if item.endswith(":"):
        return item.rstrip(": "), ""
    before, colon, after = item.partition(": ")
    if colon and after and _STAGE_WORD.fullmatch(before.strip()):
        return before.strip(), after
    bare = _DECORATION.sub("", item).strip(" -*'´`\"")
    if opens and follows and _STAGE_WORD.fullmatch(bare):
        return bare, ""
    return "", item


_WORDS = re.compile(r"\w+")
_PLAIN = re.compile(r"[^\W\d_][\w']*(?: [\w']+){0,2}")
_TELLING_TEXT = """
b2b b3b b4b f2f live hybrid set act pa tba tbc tbd soon more guest guests special secret surprise mystery
friends friend residents resident crew support others family allstars decks line lineup names acts artists djs
headliner program programm details and und with x aka alias formerly meets pres presents presenting
introducing vs versus feat featuring ft f w id unknown unidentified unbekannt track untitled announced release
released end close late uhr all aftershow party n xxx tickets ticket entry eintritt presale doors join please
limited veranstaltung einlass booking bookings facebook instagram info infos information awareness halloween
birthday edition festival showcase anniversary hosted presented performance voice vocals vocal drums drum bass
guitar guitars piano keys keyboard keyboards synthesizer synth synths electronics trombone trumpet violin
viola cello saxophone sax flute clarinet percussion organ harp turntables modular samples fx
"""
_TELLING = frozenset(_TELLING_TEXT.split())
"""Words that make an item more than a name, or none; without them a plain one needs no second look."""


@lru_cache(REMEMBERED)
def _performers(item: str, known: Known) -> tuple[Artist, ...]:
    """The performers of one item; none where it is no name."""
    if _PLAIN.fullmatch(item) and _TELLING.isdisjoint(item.lower().split()):
        return (Artist(item),)
    item = _untimed(_undecorated(item))
    if not item or len(item) > _LONGEST_ITEM:
        return ()
    telling = not _TELLING.isdisjoint(_WORDS.findall(item.lower()))
    if (telling or not item[0].isalnum()) and (_PLACEHOLDER.fullmatch(item) or _INSTRUMENTS.fullmatch(item)):
        return ()
    if _is_prose(item):
        return ()
    if item[0] in "([" and item[-1] in ")]" and not _MEMBERS.search(item):
        return ()  # "Lucinee, (bpitch), …": the label of the one before
    if telling:
        item = _AND_FRIENDS.sub("", _AND.sub("", item))
    item, members = _members(item)
    found: list[Artist] = []
    for piece in _BACK_TO_BACK.split(item):
        found += _one(piece, known)
    for member in members:
        found += _performers(member, known)
    return tuple(found)


_AND = re.compile(r"^(?:and|und|with|w/|feat\.?)\s+(?=\S)", re.IGNORECASE)
_MEMBER_BRACKET = re.compile(r"\s*\((?P<names>[^()]*(?:\([^()]*\)[^()]*)*)(?:\)|$)")


def _members(item: str) -> tuple[str, list[str]]:
    """An item without the bracket that says who plays together under the name, and what that says."""
    members: list[str] = []

    def judged(match: re.Match[str]) -> str:
        if not _MEMBERS.search(match["names"]):
            return match[0]
        members.append(match["names"])
        return ""

    return (_MEMBER_BRACKET.sub(judged, item) if "(" in item else item), members


def _undecorated(item: str) -> str:
    item = item.strip()
    if item and not item[0].isalnum():
        item = _DECORATION.sub("", _BULLET.sub("", item))
    return item if item[-1:].isalnum() else _TRAILING.sub("", item).strip()


def _untimed(item: str) -> str:
    if not any(map(str.isdigit, item)):
        return item
    return _HOURS_AFTER.sub("", _HOUR.sub("", _HOURS.sub("", item)))


def _is_prose(item: str) -> bool:
    count = item.count(" ") + 1
    return (
        count > _WORDY + 5
        or (count > 2 and _PROSE.search(item) is not None)
        or (count > _WORDY and not _MEMBERS.search(item))
    )


def _one(piece: str, known: Known) -> list[Artist]:
    """The performers between two "b2b"."""
    if len(piece) > _LONGEST_NAME:
        return []
    name, act = _unbracketed(piece)
    tail = _ACT_TAIL.search(name)
    if tail and tail.start():
        name, act = name[: tail.start()], act or _act(tail["act"])
    name = _LABEL_TAIL.sub("", name).strip(" -,*")
    if (
        not name
        or is_unknown(name)
        or _PLACEHOLDER.fullmatch(name)
        or (not any(map(str.isalnum, name)) and name != "!!!")
    ):
        return []
    name, *aliases = _AKA.split(name, maxsplit=1)
    found = [artist._replace(act=act) for artist in read_credit(name, known) if not _PLACEHOLDER.fullmatch(artist.name)]
    if aliases and found:
        found[-1] = found[-1]._replace(aka=aliases[0].strip())
    return found


def _act(text: str) -> str:
    match = _ACT.fullmatch(text.strip(" *"))
    return _ACT_NAMES[match.lastgroup or ""] if match else ""


def _unbracketed(piece: str) -> tuple[str, str]:
    """(name, act) of "Name (DE) [live]"."""
    if not any(mark in piece for mark in "([*/"):
        return piece, ""
    acts: list[str] = []

    def judged(match: re.Match[str]) -> str:
        inner = next(each for each in match.groups() if each is not None).strip()
        if match["slash"] is not None and not _act(inner):
            return match[0]
        if match["round"] is not None and _KEPT_BRACKET.fullmatch(inner):
            return match[0]
        if act := _act(inner):
            acts.append(act)
        return ""

    name = _BRACKET.sub(judged, piece)
    opened = re.search(r"\s*[(\[][^)\]]*$", name)
    return (name[: opened.start()] if opened and opened.start() else name).strip(), acts[0] if acts else ""
