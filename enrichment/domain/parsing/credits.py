"""Who is credited: names and roles of an artist credit, cut at joiners unless a dictionary knows the whole name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from enrichment.domain.text import REMEMBERED, name_key

Role = Literal["main", "featured", "versus", "remixer", "presented_as"]

Known = Callable[[str], bool]
"""Is this the whole name of a performer? Asked with names as written, before they are cut at a joiner."""


class Artist(NamedTuple):
    """A credited name. aka: the other name a line-up gives for the same performer. act: "live", "dj set", "hybrid"."""

    name: str
    role: Role = "main"
    aka: str = ""
    act: str = ""


@lru_cache(maxsize=1)
def well_known() -> frozenset[str]:
    """Identity keys of well-known names that hold a joiner or begin with "The": `well_known.txt`, part of the code."""
    listed = files(__package__).joinpath("well_known.txt").read_text("utf-8")
    return frozenset(map(name_key, listed.splitlines()))


def is_well_known(name: str) -> bool:
    """Is the name in the dictionary that ships?"""
    return name_key(name) in well_known()


def dictionary(names: Collection[str]) -> Known:
    """A dictionary of these names, besides the one that ships. Spelling counts as `text.name_key` says."""
    keys = frozenset(map(name_key, names))
    return lambda name: name_key(name) in keys or is_well_known(name)


_ROLES = re.compile(
    r"\s+(?:(?P<featured>feat(?:uring)?\.?|ft\.?|f/|w/|(?-i:with))|(?P<versus>vs\.?|versus|v\.s\.)"
    r"|(?P<presented>pres(?:ents|ent|enting)?\.?|introducing))\s+",
    re.IGNORECASE,
)
_FEAT = re.compile(r"^(?:feat(?:uring)?\b\.?|ft\b\.?|f/|w/|with\s)\s*(?P<names>\S.*)$", re.IGNORECASE)
_BRACKETED = re.compile(
    r"\s*[(\[]\s*((?:feat(?:uring)?\b\.?|ft\b\.?|f/|w/|with|vs\.?|pres\.?)\s[^()\[\]]*)[)\]]", re.IGNORECASE
)
_JOINERS = re.compile(
    r"(\s*(?:[;、，]|,(?!\d))\s*(?:(?:&|\+|and|x|w/)\s+)?|\s+(?:&|\+|[xX](?!\s+(?:[&+xX×]|and|vs)\s)|×|and|And|AND|b[2-5]b|B[2-5]B|f2f|F2F"
    r"|meets|Meets|/|//|\|)\s+)"
)
_LOOSE = re.compile(r"\s*(?:&|\+|and|meets)\s*", re.IGNORECASE)
_BACKING = re.compile(
    r"(?:the|his|her|their|thee|los|las|les|die|der|das|co\.?|company|sons?|friends|orchestra|band)\b", re.IGNORECASE
)
_SUFFIX = re.compile(r"(?:jr|sr|the|ii|iii|iv|m\.?d|ph\.?d|mc|inc|ltd|llc|etc|esq)\b\.?", re.IGNORECASE)
_MOST = 64
"""Names looked at in one credit."""


def read_credit(text: str, known: Known = is_well_known) -> tuple[Artist, ...]:
    """The artists of a cleaned credit, in order: "A & B feat. C" -> A main, B main, C featured.

    versus: those after "vs."; presented_as: the alias in "A pres. B". A name that `known` knows as a whole is not cut.
    """
    if known_whole(text, known):
        return (Artist(text),)
    text = _BRACKETED.sub(r" \1", text) if "(" in text or "[" in text else text
    role: Role = "main"
    artists: list[Artist] = []
    start = 0
    for match in _ROLES.finditer(text):
        if match.start() < start or _is_name_part(text, match, known):
            continue
        artists += _named(text[start : match.start()], role, known)
        role = "featured" if match["featured"] else "versus" if match["versus"] else "presented_as"
        start = match.end()
    artists += _named(text[start:], role, known)
    return tuple(artists)


def _is_name_part(text: str, match: re.Match[str], known: Known) -> bool:
    """Words like "with" are parts of names too."""
    return not match["versus"] and match[0].strip().lower() in ("with", "introducing") and known_whole(text, known)


def featured(part: str, known: Known = is_well_known) -> tuple[Artist, ...]:
    """The guests of "feat. A, B & C"; nothing where the text does not begin so."""
    match = _FEAT.match(part)
    return _named(match["names"], "featured", known) if match else ()


def _named(text: str, role: Role, known: Known) -> tuple[Artist, ...]:
    return tuple(Artist(name, role) for name in split_names(text, known))


def known_whole(text: str, known: Known) -> bool:
    """Does the dictionary know it? Not asked where there is nothing to cut."""
    return len(text) <= 80 and _JOINERS.search(text) is not None and known(text)


def split_names(text: str, known: Known = is_well_known) -> list[str]:
    """The names of a list "A, B & C x D". The longest run that `known` knows stays one name.

    Without its word for it, " and " joins words of one name unless a list shows otherwise, and what follows "&" stays
    where it is a backing band ("& The Wailers", "& His Orchestra").
    """
    text = text.strip(" ,;")
    pieces = _JOINERS.split(text, maxsplit=_MOST)
    if len(pieces) == 1:
        return [text] if text else []
    atoms, joints = pieces[::2], pieces[1::2]
    listed = any(joint.strip()[:1] in (",", ";") for joint in joints)
    names: list[str] = []
    at = 0
    while at < len(atoms):
        end = _known_run(atoms, joints, at, known)
        while end < len(joints) + 1 and end < len(atoms) and _holds(joints[end - 1], atoms, end, known, listed=listed):
            end += 1
        name = _joined(atoms, joints, at, end).strip(" ,;")
        if name:
            names.append(name)
        at = end
    return names


def _joined(atoms: list[str], joints: list[str], start: int, end: int) -> str:
    name = atoms[start]
    for at in range(start + 1, end):
        name += joints[at - 1] + atoms[at]
    return name


_LONGEST_RUN = 5


def _known_run(atoms: list[str], joints: list[str], start: int, known: Known) -> int:
    """Where the longest known name ends that begins at an atom; one atom further where none is known."""
    for end in range(min(len(atoms), start + _LONGEST_RUN), start + 1, -1):
        if known(_joined(atoms, joints, start, end)):
            return end
    return start + 1


def _holds(joint: str, atoms: list[str], at: int, known: Known, *, listed: bool) -> bool:
    """Does a joiner hold a name together, whose next atom is at `at`?"""
    word, after = joint.strip().lower(), atoms[at]
    if word == ",":
        return bool(_SUFFIX.fullmatch(after))
    if not _LOOSE.fullmatch(joint):
        return False
    if _BACKING.match(after) and not known(after):
        return not after.lower().startswith("friends")
    return word == "and" and not listed and not (known(atoms[at - 1]) and known(after))


_VERSION_WORDS = re.compile(
    r"""\s*\b(?:(?:re-?)?mix(?:es|ed)?|rmx|remixed|(?:re-?)?edit(?:s|ed)?|re-?work(?:ed)?|re-?fix|re-?rub|re-?touch|flip|bootleg|boot
      |vip|mash-?up|dub|version|ver\.|tweak|take|treatment|interpretation|reinterpretation|re-?construction|re-?vision
      |re-?make|re-?boot|remaster(?:ed)?|remode?l|instrumental|acapp?ell?a|cover)\b.*$""",
    re.IGNORECASE | re.VERBOSE,
)
_MANNER = re.compile(
    r"""\b(?:extended|ext\.?|radio|club|original|vocal|instrumental|acoustic|live|festival|private|special|short|long|main|single|album|full
      |dub|deep|tech|house|techno|trance|classic|anthem|intro|outro|unreleased|official|summer|sunset|sunrise
      |festival|night|late
      |closing|opening|alternat(?:e|iv)e?|vip|re|edit|rub|remix|mix|bootleg|rework|mash-?up|dubby?|ambient
      |chill(?:out)?
      |disco|drum|bass|garage|piano|orchestral|stripped|a|the|and|first|second|new|old|19\d\d|20\d\d|\d+"?)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_MANNER_TAIL = re.compile(
    r"\s+(?:extended|ext|radio|club|vocal|instrumental|acoustic|live|festival|private|special|intro|outro"
    r"|dub|unreleased|vip|original)$",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W_]")
_POSSESSIVE = re.compile(r"'s?(?=\s|$)")
_OWN_VERSION = re.compile(r"'s version\b", re.IGNORECASE)
_OPENING_WORDS = re.compile(r"^(?:re-?mix(?:ed)?|edit(?:ed)?|rework(?:ed)?|mixed|bootleg)\s+by\s+", re.IGNORECASE)


@lru_cache(REMEMBERED)
def remixers(version: str, known: Known = is_well_known) -> tuple[Artist, ...]:
    """Who made a version: "Eric Prydz & Anyma Remix" -> both. Nobody where the words before say how, not who.

    What a remix is called besides ("Adam F's Deep Space Mix") is cut at the possessive; elsewhere it stays in the name.
    """
    by = _OPENING_WORDS.match(version)
    if by:
        named = version[by.end() :]
    else:
        found = _VERSION_WORDS.search(version)
        if not found or not found.start():
            return ()
        named = version[: found.start()]
    owner = _POSSESSIVE.search(named)
    if owner and named[: owner.start()].strip():
        named = named[: owner.start()]
    if not _LETTER.search(_MANNER.sub("", named)) or _OWN_VERSION.search(version):
        return ()
    named = _MANNER_TAIL.sub("", named.strip())
    return tuple(artist._replace(role="remixer") for artist in read_credit(named, known) if artist.name)


def unique(artists: Iterable[Artist]) -> tuple[Artist, ...]:
    """Each name once in each role, in order."""
    return tuple(dict.fromkeys(artists))
