"""What a title says besides its name: version, guests, flags, label, catalogue number, year."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from enrichment.domain.parsing.credits import Artist, Known, featured, is_well_known, remixers, unique
from enrichment.domain.parsing.marks import is_segment
from enrichment.domain.parsing.noise import is_noise, strip_tail, trimmed, unquoted
from enrichment.domain.text import REMEMBERED, parts

_CLOSING = {"(": ")", "[": "]", "{": "}"}

_KINDS = {
    "original": r"original(?:\ (?:club\ )?mix|\ (?:full\ length\ )?version|\ recording)?|(?:main|album"
    r"|lp)\ (?:mix|version)",
    "remaster": r"(?:digital(?:ly)?\ )?re-?master(?:ed|s)?",
    "rerecording": r"re-?record(?:ed|ing)?|\w+'s\ version",
    "mashup": r"mash-?\s?up",
    "bootleg": r"bootleg|boot(?=\s*$)",
    "rework": r"re-?work(?:ed)?|re-?touch(?:ed)?|re-?boot|re-?make|re-?imagin\w+|re-?construction"
    r"|re-?interpretation|re-?vision",
    "vip": r"v\.?i\.?p\.?",
    "dub": r"dub(?:\ mix)?",
    "extended": r"extended|ext\.|12\"|long\ (?:version|mix|edit)",
    "radio": r"radio|7\"|(?:single|short|video)\ (?:version|edit|mix)",
    "edit": r"(?:re-?)?edit(?:s|ed)?",
    "remix": r"re-?mix(?:es|ed)?|rmx|re-?fix|re-?rub|flip|tweak|treatment|remode?l",
    "mix": r"mix(?:es|ed)?",
    "live": r"live|en\ vivo|ao\ vivo|en\ direct|in\ concert|unplugged|\w+\ sessions?",
    "acoustic": r"acoustic|akustik|acoustique|acústic[oa]|stripped",
    "instrumental": r"instrumental|karaoke|backing\ track|inst\.",
    "acappella": r"a\ ?cap+el+as?|vocals?\ only",
    "demo": r"demo|work\ in\ progress|wip|rough|outtake|rehearsal",
    "intro": r"intro|outro|interlude",
    "cover": r"cover|tribute|originally\ performed|made\ famous|in\ the\ style",
    "tempo": r"sped\ up|slowed|nightcore|8d|reverb",
    "mono": r"mono|stereo",
    "edition": r"(?:\w+\ )?edition|deluxe|expanded|re-?issue|\d+(?:st|nd|rd|th)\ anniversary|bonus(?:\ track)?s?",
    "version": r"versions?|ver\.|versión|version[ae]|versão|take\ \d+|reprise|medley|orchestral|symphonic|skit"
    r"|alt\.\ take|alternate",
}
_KIND = re.compile(
    r"(?<!\w)(?:" + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()) + r")(?!\w)",
    re.IGNORECASE | re.VERBOSE,
)
_LAST_WORD = re.compile(r"\W*(?:(?:#|no\.?|pt\.?|part|vol\.?)?\s*\d{1,4}|[IVX]{1,3}|[A-D])?\W*(?:/.*)?$", re.IGNORECASE)
_AFTER = re.compile(r"\s*(?:$|[/,;:+|#-]|by\b|at\b|from\b|in\b|on\b|of\b|for\b|with\b|w/|@|\d|\()", re.IGNORECASE)
_WHOLE = re.compile(
    r"(?:club|vocal|dub|extended|original|clean|dirty|short|long|single|album|main|solo|\d+\")", re.IGNORECASE
)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_FLAGS = {
    "unreleased": r"unreleased(?:\ (?:track|version))?|forthcoming(?:\ .*)?|coming\ soon(?:\ .*)?"
    r"|upcoming(?:\ .*)?|test\ ?press(?:ing)?",
    "white label": r"white(?:\ ?labels?)?|wl",
    "promo": r"promos?(?:\ (?:only|cdr?|copy))?|dub\ ?plate|cd-?r|acetate|advance",
    "free": r"free(?:\ (?:download|dl|track|release|mp3))?|freebie",
    "self-released": r"self[ -]released?|no\ label|not\ on\ label|unsigned|independent",
    "preview": r"preview|snippet|clip\ preview",
    "exclusive": r"exclusive|beatport\ exclusive",
    "working title": r"working\ title|temp(?:orary)?\ title|wt|tbc",
    "bonus": r"bonus(?:\ tracks?)?|hidden\ track",
    "explicit": r"explicit(?:\ (?:version|content|album\ version))?|dirty(?:\ version)?|uncensored",
    "clean": r"clean(?:\ (?:version|edit))?|censored",
    "unknown label": r"\?+|unknown(?:\ label)?|n/?a|tba|id",
}
_FLAG = re.compile(
    r"(?:" + "|".join(f"(?P<f{at}>{rule})" for at, rule in enumerate(_FLAGS.values())) + r")", re.IGNORECASE
)
_SPOKEN_FLAGS = frozenset(("unreleased", "white label", "promo", "free"))
"""Flags that need no bracket. "Clean", "Explicit" and "Preview" are titles too."""
_FLAG_NAMES = {f"f{at}": name for at, name in enumerate(_FLAGS)}
_ORIGIN = re.compile(
    r"(?:(?:main )?theme |taken )?(?:from|aus|du film|prod(?:uced)?\b\.?(?: by)?)\b(?!.*\b(?:sessions?|live"
    r"|mix)\b)|.*\bO\.?S\.?T\.?$|.*\bsoundtrack$",
    re.IGNORECASE,
)
_FEAT_TAIL = re.compile(r"[\s,]+(?P<guests>(?:feat(?:uring)?\b|ft\b|f/|w/)\.?\s*\S.*)$", re.IGNORECASE)
_STOCK = re.compile(
    r"^(?P<name>.*\S)\s+(?P<version>(?:(?:original|extended|radio|club|main|vocal|dub|instrumental|full vocal"
    r"|intro|12\"|7\")\s+(?:mix|edit|version)|acapp?ella)(?:\s+\d)?)$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Title:
    """A title taken apart.

    name: without version, guests, flags and label. full: as written without noise, flags and label. version: as
    written, several joined by " / ". kinds: what sorts of version, of `_KINDS`. year: of a remaster, a version, or the
    one in brackets. flags: of `_FLAGS`.
    """

    name: str = ""
    full: str = ""
    version: str = ""
    kinds: tuple[str, ...] = ()
    year: int | None = None
    artists: tuple[Artist, ...] = ()
    flags: tuple[str, ...] = ()
    label: str = ""
    catno: str = ""
    segment: str = ""
    noisy: bool = False


@dataclass(slots=True)
class _Found:
    """What has been met on the way through a title."""

    kept: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    guests: list[Artist] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    label: str = ""
    catno: str = ""
    segment: str = ""
    year: int | None = None
    noisy: bool = False


@lru_cache(REMEMBERED)
def kinds_of(version: str) -> tuple[str, ...]:
    """What sorts of version a text names: "Extended Remix" -> ("extended", "remix"). Empty for no version.

    A "mix" is a remix where somebody has made it ("Andrea Parker Mix"), else it only carries its adjective.
    """
    kinds = dict.fromkeys(match.lastgroup or "" for match in _KIND.finditer(version))
    if "mix" in kinds and remixers(version):
        return tuple(dict.fromkeys("remix" if kind == "mix" else kind for kind in kinds))
    if len(kinds) > 1:
        kinds.pop("mix", None)
    return tuple(kinds)


@lru_cache(REMEMBERED)
def is_version(part: str, opening: str) -> bool:
    """Does a part of a title say which version it is? In "[…]" it has to end so: labels have such words too."""
    matches = list(_KIND.finditer(part))
    if not matches:
        return _WHOLE.fullmatch(part) is not None and opening != "-"
    last = matches[-1]
    if _LAST_WORD.fullmatch(part, last.end()):
        return True
    if opening == "[":
        return len(matches) > 1 or matches[0].lastgroup == "cover"
    return any(_AFTER.match(part, match.end()) for match in matches) or (matches[0].start() == 0 and opening == "(")


def read_title(text: str, known: Known = is_well_known, *, labelled: bool = True) -> Title:
    """A cleaned title taken apart. labelled: a last "[…]" that is nothing else is a label, as tracklists write it."""
    if not any(mark in text for mark in "([{-"):
        return _plain(text, known)
    found = _Found()
    pieces = [(part, opening) for part, opening in parts(text) if part]
    end = 0
    for at, (part, opening) in enumerate(pieces, 1):
        begin = text.find(part, end)
        written = _written(text[end:begin], part, opening)
        end = max(end, begin + len(part))
        if not opening:
            found.kept.append(written)
            found.full.append(written)
            continue
        ends = labelled and at == len(pieces) and (opening == "[" or (opening == "(" and _cataloged(part)))
        if not _bracket(found, part, opening, written, known):
            _rest(found, part, opening, written, last=ends)
    return _assembled(found, text, known)


def _cataloged(part: str) -> bool:
    return _LABEL_CATNO.fullmatch(part) is not None


def _plain(text: str, known: Known) -> Title:
    return _assembled(_Found(kept=[text], full=[text]), text, known)


def _bracket(found: _Found, part: str, opening: str, written: str, known: Known) -> bool:
    """Takes what is clearly not a part of the name; False for the rest."""
    guests = featured(part, known)
    if guests and (opening != "-" or not part.lower().startswith("with")):
        found.guests += guests
        found.full.append(written)
        return True
    flag = _FLAG.fullmatch(part)
    if flag and (opening != "-" or _FLAG_NAMES[flag.lastgroup or ""] in _SPOKEN_FLAGS):
        found.flags.append(_FLAG_NAMES[flag.lastgroup or ""])
        return True
    if is_noise(part):
        found.noisy = True
        return True
    if is_version(part, opening):
        found.versions.append(part)
        found.full.append(written)
        return True
    return False


def _rest(found: _Found, part: str, opening: str, written: str, *, last: bool) -> None:
    """A part that is no version, guest, flag or noise: year, origin, segment, label, or a part of the name."""
    if part.isdecimal() and len(part) == 4:
        if _YEAR.fullmatch(part):
            found.year = int(part)
            found.full.append(written)
        found.noisy = found.noisy or found.year is None
    elif opening == "-" and found.versions:
        found.versions[-1] += f" - {part}"  # "Live at Webster Hall - June 2011"
        found.full.append(written)
    elif opening != "-" and _ORIGIN.match(part):
        found.full.append(written)
    elif opening == "[" and not last and is_segment(part):
        found.segment = part
    elif last or (opening == "-" and is_label(part)):
        found.label, found.catno = read_label(part)
    else:
        found.kept.append(written)
        found.full.append(written)


def _written(gap: str, part: str, opening: str) -> str:
    """A part as it stood in the text, with the space before it: "Just right(딱 좋아)" has none.

    gap: what stands in the text between the part before and this one, brackets and all.
    """
    if opening == "-":
        return f" - {part}"
    space = " " if gap.lstrip(")]}")[:1].isspace() else ""
    return f"{space}{opening}{part}{_CLOSING[opening]}" if opening else f"{space}{part}"


def _assembled(found: _Found, text: str, known: Known) -> Title:
    joined = "".join(found.kept).strip()
    name = unquoted(trimmed(strip_tail(joined)))
    full = "".join(found.full).strip()
    full = unquoted(trimmed(strip_tail(full))) if len(found.full) > 1 and full != joined else name
    tail = _FEAT_TAIL.search(name, 1)
    if tail and not name[: tail.start()].lower().endswith(("not", "the")):
        name, guests = name[: tail.start()], tail["guests"]
        found.guests += featured(guests, known)
    stock = _STOCK.match(name) if not found.versions else None
    if stock:
        name = stock["name"].rstrip("- ")
        found.versions.append(stock["version"])
    version = " / ".join(found.versions)
    made_by = [artist for each in found.versions for artist in remixers(each, known)]
    year = _YEAR.search(version) if version else None
    return Title(
        name=name or text,
        full=full or text,
        version=version,
        kinds=kinds_of(version),
        year=int(year[0]) if year else found.year,
        artists=unique((*found.guests, *made_by)),
        flags=tuple(found.flags),
        label=found.label,
        catno=found.catno,
        segment=found.segment,
        noisy=found.noisy or len(name) < len(joined),
    )


_CATNO = (
    r"(?=[^\s]*[A-Z\d])(?:[A-Z][A-Z&.+]{0,11}[ .-]?(?:[A-Z]{1,6}[ .-]?)?\d{1,6}[A-Z]{0,4}(?:[.-]?\d{0,3})"
    r"|\d{4,13}|\d{2,4}[A-Z]{2,6}\d{0,4}|[A-Z]+\d+[A-Z]+\d+\w*)"
)
_LABEL_CATNO = re.compile(rf"(?P<label>.*\S)(?:\s+[-–/|:]+\s+|\s*[,/|]\s*|\s+\(|:\s+)(?P<catno>{_CATNO})\)?")
_ONLY_CATNO = re.compile(r"(?:[A-Z]{2,10}[ -]?\d{2,6}[A-Z]{0,4}|\d{6,13}|[A-Z]{2,}\d+[A-Z]+\d*)")
_LABEL_WORD = re.compile(
    r"(?<!re-)\b(?:records?|recordings?|recs?\.?|label|traxx?|imprint|music(?:\ group)?|digital|ltd\.?|productions?"
    r"|discos|vinyl)$",
    re.I,
)


def is_label(part: str) -> bool:
    """Does a text end as labels do ("… Records", "… Trax"), or is it a catalogue number?"""
    return _LABEL_WORD.search(part) is not None or _ONLY_CATNO.fullmatch(part) is not None


def read_label(part: str) -> tuple[str, str]:
    """Label and catalogue number of "Anjunabeats - ANJ-123", "Drumcode", "DC 110"; "" for what is not said."""
    part = part.strip(" -")
    match = _LABEL_CATNO.fullmatch(part)
    if match:
        return match["label"].strip(" -"), match["catno"]
    return ("", part) if _ONLY_CATNO.fullmatch(part) else (part, "")
