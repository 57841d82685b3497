"""Names: how they are compared, and how the decoration of a scrobbled title is told from its true version."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WORDS = re.compile(r"\w+")
_APOSTROPHES = re.compile(r"['’‘`´]")
_NOT_WORD = re.compile(r"[\W_]+")

_FEATURED = re.compile(r"^(?:feat|ft|featuring)\b\.?\s*|^(?-i:[Ww]ith\s+(?=[A-Z]))", re.IGNORECASE)
_FEATURED_TAIL = re.compile(r"\s+(?:feat|ft|featuring)\b\.?\s+(?P<names>[^()\[\]]+)", re.IGNORECASE)
_ARTIST_FEATURED = re.compile(r"\s+[(\[]?(?:feat\b|ft\b|featuring\b)\.?\s+", re.IGNORECASE)
_SEVERAL = re.compile(r"\s*(?:,|&|;|\band\b)\s*", re.IGNORECASE)
# A key at the end, as DJs' programs write it; no shop lists it.
_DJ_KEY = re.compile(r"(?<=\S) - (?:\d|1[0-2])[AB](?:/(?:\d|1[0-2])[AB])?$")
# Words that only decorate: the recording is the same without them.
_DECORATION = re.compile(
    r"\bre-?master(?:ed)?\b|^(?:the )?original(?: (?:mix|version|recording))?$|\bbonus track\b|\bexplicit version\b"
    r"|^(?:album|lp|single|standard|main|mono|stereo)(?: version| mix)?$|^(?:explicit|clean|official.*|hd|hq)$"
    r"|\bfrom .*(?:soundtrack|motion picture)\b|^\d{4}(?: digital)?(?: version)?$|\bofficial (?:video|audio)\b",
    re.IGNORECASE,
)
# Words that name another recording of the same song.
_VERSION = re.compile(
    r"\b(?:re-?mix(?:ed)?|rmx|mix|edit|dub|live|acoustic|instrumental|demo|version|bootleg|re-?work|vip|unplugged"
    r"|sessions?|karaoke|cover|reprise|extended|club|a ?cappella|reconstruction|refix|flip|remake|orchestral"
    r"|take \d+|rehearsal)\b",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\s*[(\[](?P<inside>[^()\[\]]*)[)\]]\s*")


def fold(text: str) -> str:
    """Lower case, without accents or compatibility forms."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))


def tokens(text: str) -> list[str]:
    """The words that searches compare."""
    return _WORDS.findall(_APOSTROPHES.sub("", fold(text)).replace("_", " "))


def squash(text: str) -> str:
    """The name without case, accents, spaces and punctuation; the name itself where nothing would be left ("!!!")."""
    return _NOT_WORD.sub("", fold(text)) or text.strip().lower()


@dataclass(frozen=True, slots=True)
class Title:
    """A track's title taken apart: `base` is the song, `version` another recording of it or "", `featured` the guests,
    `decoration` what else was written ("2011 Remaster").
    """

    base: str
    version: str
    featured: tuple[str, ...] = ()
    decoration: str = ""

    @property
    def clean(self) -> str:
        """The title as an editor would write it."""
        return f"{self.base} ({self.version})" if self.version else self.base


def read_title(raw: str) -> Title:
    """Take a title as a player or scraper wrote it apart."""
    text = " ".join((raw.replace("_", " ") if "_" in raw and " " not in raw else raw).split())
    versions: list[str] = []
    featured: list[str] = []
    decoration: list[str] = []

    def sort_out(inside: str, *, square: bool) -> bool:
        """Whether this part belongs to the title itself."""
        if _FEATURED.match(inside):
            featured.extend(split_names(_FEATURED.sub("", inside, count=1)))
        elif _DECORATION.search(inside):
            decoration.append(inside.strip())
        elif _VERSION.search(inside):
            versions.append(inside.strip())
        else:
            return not square
        return False

    def bracket(match: re.Match[str]) -> str:
        square = "[" in match[0]
        return match[0] if sort_out(match["inside"].strip(), square=square) else " "

    base = _BRACKETS.sub(bracket, _DJ_KEY.sub("", text)).strip()
    while " - " in base:
        head, _, tail = base.rpartition(" - ")
        if not head.strip() or sort_out(tail.strip(), square=False):
            break
        base = head.strip()
    tail_match = _FEATURED_TAIL.search(base)
    if tail_match:
        featured.extend(split_names(tail_match["names"]))
        base = _FEATURED_TAIL.sub("", base).strip()
    if not squash(base):
        return Title(text, "")
    return Title(base, ", ".join(dict.fromkeys(versions)), tuple(dict.fromkeys(featured)), ", ".join(decoration))


def split_names(names: str) -> list[str]:
    """The names in "A, B & C"."""
    return [name.strip(" .") for name in _SEVERAL.split(names) if name.strip(" .")]


def read_artist(raw: str) -> tuple[str, tuple[str, ...]]:
    """The name on the sleeve, and the guests behind its "feat."."""
    main, *guests = _ARTIST_FEATURED.split(" ".join(raw.split()))
    names = [name for guest in guests for name in split_names(guest.strip(" )]"))]
    return (main.strip() or raw.strip()), tuple(names)
