"""Names and titles as people write them: identity keys, search text, and what a title says besides its name.

Three forms of every text, never mixed up (reference: matching and peers, B.1): the raw text is shown, `search_text`
is sent to an upstream's search, and the keys say what is the same. No function here raises, whatever the text, and
all of them look at no more than `LONGEST` characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

LONGEST = 500
"""Characters looked at; longer than any real name, short enough to be quick."""
REMEMBERED = 2048
"""Of so many texts each function keeps what it has worked out: the same artist comes with track, album and performer.

Many more would fill the memory of a worker that sees millions.
"""

Role = Literal["main", "featured", "versus"]

_CONTROLS = "".join(map(chr, [*range(32), *range(127, 160)]))
# What a text may hold and no reader sees: soft hyphen, zero-width, bidi marks, variation selectors, byte order mark.
_UNSEEN = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ud800-\udfff"
_UNSEEN_RE = re.compile(f"[{_UNSEEN}]")
_UNIFIED = str.maketrans(
    {
        **dict.fromkeys(_CONTROLS, " "),
        **dict.fromkeys("‘’‚‛′‵`´ʹʻʼʽˈ՚＇", "'"),
        **dict.fromkeys("“”„‟″‶«»〝〞＂", '"'),
        **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
        **dict.fromkeys("【〔〖", "["),
        **dict.fromkeys("】〕〗", "]"),
        "\u2044": "/",
        "･": "・",
    }
)
_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
)
_DIACRITIC = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"[^\W_]+")
_STRANGE = re.compile(r"[^\w\x00-\x7f]")


def clean(text: str) -> str:
    """The text as a reader sees it: NFKC, without unseen characters, quotes and dashes unified, whitespace collapsed.

    Full-width letters become plain ones; no script is turned into another. Cut at `LONGEST` characters.
    """
    text = text[:LONGEST]
    if text.isascii():
        plain = text.isprintable() and "`" not in text
        return " ".join((text if plain else text.translate(_UNIFIED)).split())
    # Accents that look like apostrophes are unified first: NFKC would tear them into a space and a mark.
    unified = _UNSEEN_RE.sub("", text.translate(_UNIFIED))
    text = unicodedata.normalize("NFKC", unified)[:LONGEST]
    return " ".join((text if text == unified else text.translate(_UNIFIED)).split())


def fold(text: str) -> str:
    """A cleaned text for comparing: case and the diacritics of alphabets folded, other scripts' marks kept.

    Only the combining marks of Latin, Greek and Cyrillic go; a Japanese voicing mark or an Indic vowel is a letter.
    """
    text = text.casefold()
    if text.isascii():
        return text
    marked = unicodedata.normalize("NFD", text.translate(_LETTERS))
    return unicodedata.normalize("NFC", _DIACRITIC.sub("", marked))


def words(text: str) -> tuple[str, ...]:
    """The words of a cleaned text, folded: "Don't Stop!" -> ("dont", "stop"). "&" is the word "and".

    Empty where the text is made of symbols only.
    """
    folded = fold(text).replace("'", "").replace("&", " and ")
    if folded.isascii() or not _STRANGE.search(folded):
        return tuple(_WORD.findall(folded))
    return tuple("".join(char if _in_word(char) else " " for char in folded).split())


def _in_word(char: str) -> bool:
    r"""Letters, digits, and the combining marks that `\w` forgets: without them a Hindi or Thai word falls apart."""
    return char.isalnum() or unicodedata.category(char) in ("Mn", "Mc")


@lru_cache(REMEMBERED)
def name_key(text: str) -> str:
    """The identity of a performer's name: equal keys are the same performer until somebody says otherwise.

    Folded: case, quotes, commas, the full stop of an abbreviation ("Dr. Dre"), "&" and "and", "Beatles, The". Kept,
    because they tell performers apart: diacritics ("Nina" and "Niña"; of 8 pairs among 21,218 artists of MusicBrainz
    that only they separate, 7 are two performers), a leading "The" (16 more such pairs: "Weekend", "The Weekend"), and
    all other symbols ("fun." and "Fun", "!!!"). Two keys for one performer cost a few calls; one key for two performers
    mixes them up. Empty only for a text without a visible character.
    """
    folded = clean(text).casefold()
    if folded.endswith(", the"):
        folded = "the " + folded[:-5]
    key = " ".join(folded.translate(_NAME_MARKS).replace("&", " and ").replace(". ", " ").split())
    return key or folded


_NAME_MARKS = str.maketrans({"'": "", '"': "", ",": " "})


@lru_cache(REMEMBERED)
def title_key(text: str) -> str:
    """The identity of a title under one performer: "song", or "song | kygo remix" where it names a version.

    Featured artists, what is only packaging ("Official Video", "Original Mix", "Album Version") and all punctuation
    are left out; remasters, edits, mixes and live versions stay. Symbols stay where nothing else would.
    """
    title = split_title(text)
    base = " ".join(words(title.base)) or fold(title.base)
    version = " ".join(words(title.version))
    return f"{base} | {version}" if version else base


@dataclass(frozen=True, slots=True)
class Title:
    """What a title says. version: as written, several joined by " / ", without packaging; "" for the plain recording.

    notes: bracketed parts that are neither: subtitles and origins, 'From "Grease"'; they are part of `base` too, except
    origins.
    """

    base: str
    version: str = ""
    featured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


_FEAT = r"(?:feat(?:uring)?|ft|f/)(?:\.|\b|(?<=/))"
_FEATURED = re.compile(rf"^{_FEAT}\s*(?P<names>.+)$", re.IGNORECASE)
_WITH = re.compile(r"^with\s+(?P<names>.+)$", re.IGNORECASE)
_FEAT_TAIL = re.compile(rf"^(?P<before>.*?\S)\s+{_FEAT}\s*(?P<names>\S.*)$", re.IGNORECASE)

_VERSION = re.compile(
    r"""\b(?:
        (?:re-?)?mix(?:es|ed)? | rmx | (?:re-?)?edit(?:ed)? | re-?work(?:ed)? | re-?fix | re-?rub | flip | bootleg | vip
      | mash-?up | dub | versions? | ver\. | versión | version[ae] | versão | re-?master\w* | live | en\ vivo | ao\ vivo
      | en\ direct | unplugged | acoustic | akustik | acoustique | acústic[oa] | instrumental | karaoke
      | a\ ?cap+el+as? | demo | re-?record(?:ed|ing) | extended | mono | stereo | take\ \d+ | outtake | rehearsal
      | alt(?:ernat(?:e|ive))?\.?\ (?:take|mix) | reprise | intro | outro | interlude | skit | sped\ up | slowed
      | nightcore | reverb | orchestral | sessions? | cover | tribute | made\ famous | style\ of
      | originally\ performed | arr\. | arranged | unreleased | work[\ -]in[\ -]progress | uncut | vinyl | clean
      | original | remake | backing\ track | sing-?along | 8d | medley | \d+"
    )(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
_PACKAGING = re.compile(
    r"""^(?:
        (?:the\ )?(?:official|offizielles|oficial|officiel)\b.* | (?:full\ )?(?:hd|hq|4k|uhd)(?:\ (?:video|audio))?
      | (?:music|lyrics?|video)\ ?(?:video|clip|visuali[sz]er)? | videoclip | visuali[sz]er | audio | m/?v
      | with\ lyrics | free\ (?:download|dl) | out\ now | bonus(?:\ track)? | unreleased
      | explicit(?:\ (?:content|version|album\ version))?
      | (?:the\ )?original(?:\ (?:mix|version|album\ version|recording|master))? | version\ originale
      | (?:main|standard|full\ length|studio|album|lp)\ (?:mix|version) | album
      | (?!.*\b(?:re|mix|remix\w*|live|edit|single|acoustic|demo|early|alt\w*|instrumental)\b).*\ (?:album|lp)\ version
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_ORIGIN = re.compile(
    r"^(?:(?:main )?theme )?(?:from|aus|du film|prod(?:uced)?\.? by)\b(?!.*\b(?:sessions?|live|mix)\b)", re.IGNORECASE
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_KEY = re.compile(r"(?:1[0-2]|[1-9])[AB](?:/(?:1[0-2]|[1-9])[AB])?")
"""What programs for DJs write behind a title: its key as Camelot's wheel has it, "9B/7A" for two."""
_RULES = (("featured", _FEATURED), ("packaging", _PACKAGING), ("origin", _ORIGIN), ("version", _VERSION))
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_BRACKET = re.compile(r"[()\[\]{}]")
_LONE_DASH = re.compile(r"-(?<!\S-)(?!\S)")


def split_title(text: str) -> Title:
    """A title's name, version and featured artists, from its brackets and " - " endings.

    What stands without brackets or a dash stays in the name, so a song called "Live and Let Die" or "Remix to
    Ignition" keeps it, and so does "Hotel Room Service FNZ Remix".
    """
    return _split(clean(text))


@lru_cache(REMEMBERED)
def _split(text: str) -> Title:
    if not any(mark in text for mark in "([{-") and not _FEAT_TAIL.match(text):
        return Title(text)
    kept: list[str] = []
    found: dict[str, list[str]] = {}
    for part, opening in parts(text):
        kind = _kind(part, opening) if kept else "name"
        if opening == "-" and kind == "name" and "version" in found:
            found["version"][-1] += f" - {part}"  # "Live at Webster Hall - June 2011"
            continue
        found.setdefault(kind, []).append(part)
        if kind in ("name", "note"):
            kept.append(_wrapped(part, opening))
    base, guests = _cut_featured(" ".join(kept).removeprefix("- "))
    if not base:
        return Title(text)
    guests += [name for part in found.get("featured", ()) for name in _guests(part)]
    notes = (*found.get("note", ()), *found.get("origin", ()))
    return Title(base, " / ".join(found.get("version", ())), tuple(guests), notes)


def _wrapped(part: str, opening: str) -> str:
    if opening == "-":
        return f"- {part}"
    return f"{opening}{part}{_CLOSING[opening]}" if opening else part


@lru_cache(REMEMBERED)
def _kind(part: str, opening: str) -> str:
    """What a part is: name, version, featured, packaging, origin, key, or note (bracketed, none of these)."""
    if not opening:
        return "name"
    if opening == "-" and _YEAR.fullmatch(part):
        return "version"
    if opening == "-" and _KEY.fullmatch(part):
        return "key"
    for kind, rule in _RULES:
        if rule.search(part):
            return kind
    return "name" if opening == "-" else "featured" if _WITH.match(part) else "note"


def parts(text: str) -> Iterator[tuple[str, str]]:
    """A cleaned text cut at brackets and " - ": (part, how it opens: "", "-", "(", "[" or "{")."""
    for outer, opening in _brackets(text):
        if opening:
            if outer:
                yield outer, opening
            continue
        head, *rest = _LONE_DASH.split(outer) if "-" in outer else (outer,)
        if head.strip():
            yield head.strip(), ""
        for part in rest:
            if part.strip():
                yield part.strip(), "-"


def _brackets(text: str) -> Iterator[tuple[str, str]]:
    """The text cut at its outermost balanced brackets; an unclosed one runs to the end (upstreams cut long titles)."""
    start, depth, opening = 0, 0, ""
    for mark in _BRACKET.finditer(text):
        at, char = mark.start(), mark[0]
        if char in _CLOSING and (not opening or char == opening):
            if not depth:
                yield text[start:at], ""
                start, opening = at + 1, char
            depth += 1
        elif opening and char == _CLOSING[opening]:
            depth -= 1
            if not depth:
                yield text[start:at].strip(), opening
                start, opening = at + 1, ""
    yield text[start:].strip(), opening


def _cut_featured(base: str) -> tuple[str, list[str]]:
    match = _FEAT_TAIL.match(base)
    return (match["before"], _names(match["names"])) if match else (base, [])


def _guests(part: str) -> list[str]:
    match = _FEATURED.match(part) or _WITH.match(part)
    return _names(match["names"]) if match else []


_LISTED = re.compile(r",|;|\s&\s|\sand\s|\+")


def _names(text: str) -> list[str]:
    """Guests are listed: "A, B & C". A guest whose own name holds a comma or "&" is rarer than a list of two."""
    return [name.strip() for name in _LISTED.split(text) if name.strip()]


_ROLES = re.compile(r"\s+(?P<word>feat(?:uring)?\.?|ft\.?|f/|vs\.?|versus)\s+", re.IGNORECASE)


def split_artists(text: str) -> list[tuple[str, Role]]:
    """(name, role) of a credit, conservatively: cut at feat. and vs. only.

    "&", "and", ",", "x", "+" and "/" are as often part of one name ("Earth, Wind & Fire") and are left alone; a
    dictionary of known artists may split further. "feat. A, B & C" is one guest entry for the same reason.
    """
    cleaned = _unwrap_featured(clean(text))
    pieces = _ROLES.split(cleaned)
    role: Role = "main"
    artists: list[tuple[str, Role]] = []
    for word, name in zip(["", *pieces[1::2]], pieces[::2], strict=True):
        role = "versus" if word.lower().startswith("v") else "featured" if word else "main"
        if name.strip(" ,"):
            artists.append((name.strip(" ,"), role))
    return artists


_WRAPPED_FEAT = re.compile(rf"[(\[]\s*({_FEAT}[^()\[\]]*)[)\]]", re.IGNORECASE)


def _unwrap_featured(text: str) -> str:
    return _WRAPPED_FEAT.sub(r"\1", text) if "(" in text or "[" in text else text


@lru_cache(REMEMBERED)
def main_artist(text: str) -> str:
    """The first name of a credit, without guests and opponents: "A & B feat. C" -> "A & B"."""
    artists = split_artists(text)
    return artists[0][0] if artists else clean(text)


_REMASTER = re.compile(r"\bre-?master", re.IGNORECASE)
_OPERATORS = re.compile(r"[\[\](){}\"*?~^:\\!]+|\s-(?=\s)")
"""What a search engine reads as its own."""


def search_text(text: str) -> str:
    """A text to search an upstream with: the name alone, without guests, packaging, origins, quotes and brackets.

    A version that names a remixer or the like stays, since catalogues list such recordings on their own; a remaster
    does not. Case and diacritics stay: upstreams fold better than we do.
    """
    title = split_title(text)
    version = " ".join(part for part in title.version.split(" / ") if not _REMASTER.search(part))
    plain = _OPERATORS.sub(" ", f"{title.base} {version}")
    return " ".join(plain.split()) or title.base
