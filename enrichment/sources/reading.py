"""What the sources share: reading replies strictly, telling what they say, choosing among search hits.

A reply in another shape than we know raises TypeError or ValueError, which makes the lookup `unreadable`; what is only
absent from it is not told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from enrichment.domain import genres as vocabulary
from enrichment.domain.findings import Candidate, Finding
from enrichment.domain.matching import (
    Namesake,
    Performer,
    Side,
    choose,
    choose_performer,
    same_artist,
    same_title,
)
from enrichment.domain.music import camelot, key_name
from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Keys
from enrichment.domain.subjects import FIELDS, Kind, clean_value
from enrichment.domain.text import main_artist
from enrichment.sources.base import Line, Reply, judge_http

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]

SAME_PERFORMER = 0.92
"""Similarity from which a credited performer is the subject's own. One of two named together reaches only 0.9."""
MOST_CANDIDATES = 10
_SCHEME = re.compile(r"^https?://(?:www\.)?", re.IGNORECASE)
SAME_ALBUM = 0.85
"""Similarity of titles from which an album is the subject's own."""

_FEATURES = ("energy", "danceability", "valence", "acousticness", "instrumentalness", "liveness", "speechiness")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_DATE = re.compile(r"(?P<year>[12][0-9]{3})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?(?:T.*)?")


# --- parts of a reply ----------------------------------------------------------------------------------------------


def one(value: Any) -> Json:
    """A JSON object; empty where there is none. Raises TypeError for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {str(value)[:80]!r}")
    return value


def many(value: Any) -> list[Json]:
    """The objects of a JSON array; empty where there is none. Raises TypeError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {str(value)[:80]!r}")
    return [row for row in value if isinstance(row, dict)]


def text(value: Any) -> str:
    """A name as text; empty for anything else. Numbers count: Deezer's ids and old Cover Art Archive ones are such."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).replace("\x00", "").strip()


def texts(value: Any) -> list[str]:
    """The texts of a JSON array, without repeats. Raises TypeError where it is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {str(value)[:80]!r}")
    return list(dict.fromkeys(name for name in map(text, value) if name))


def genres(names: Iterable[Any], *, tags: bool = False) -> list[str]:
    """The genres of the one vocabulary that these names stand for, without repeats; names of none are left out.

    Where it knows none of them they are told as they stand, in lower case: a source's genre is one, however new.
    tags: they are anybody's words, which may be about anything.
    """
    said = [name for name in map(text, names) if name]
    known = vocabulary.genres(said)
    return known if known or tags else list(dict.fromkeys(name.lower() for name in said))


def whole(value: Any) -> int:
    """A whole number, also where it comes as text or with a fraction; 0 where there is none."""
    number = clean_value(Kind.TRACK, "duration_ms", value)
    return number if isinstance(number, int) else 0


def number(value: Any) -> float | None:
    """A number, also where it comes as text; None where there is none."""
    found = clean_value(Kind.TRACK, "bpm", value)
    return float(found) if isinstance(found, int | float) else None


def fraction(value: Any) -> float | None:
    """A number from 0 to 1, or None."""
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def tempo(value: Any) -> float | None:
    """Beats per minute, or None for 0, which means not known."""
    found = number(value)
    return found if found and found > 0 else None


def key_of(row: Json) -> dict[str, Any]:
    """`key` and `camelot`, texts or None, of a pitch class and a mode in Spotify's terms: one of -1 is not known."""
    pitch_class, mode = number(row.get("key")), number(row.get("mode"))
    key = None if pitch_class is None or mode is None else key_name(int(pitch_class), int(mode))
    return {"key": key, "camelot": camelot(key) if key else None}


def audio_features(row: Json) -> Json:
    """Those of Spotify's names that are known: loudness in dB, the others from 0 to 1."""
    known: dict[str, float | None] = {name: fraction(row.get(name)) for name in _FEATURES}
    known["loudness"] = number(row.get("loudness"))
    return {name: value for name, value in known.items() if value is not None}


def milliseconds(value: Any, unit: int = 1) -> int | None:
    """A duration in milliseconds, or None where it is absent or 0, which means not known. unit: milliseconds in one."""
    number = whole(value)
    return number * unit if number > 0 else None


def date(value: Any) -> str | None:
    """YYYY, YYYY-MM or YYYY-MM-DD. Months and days of 00 mean not known, a year of 0000 the whole date."""
    match = _DATE.fullmatch(text(value))
    if match is None:
        return None
    year, month, day = match.groups()
    if month in (None, "00"):
        return year
    return f"{year}-{month}" if day in (None, "00") else f"{year}-{month}-{day}"


def isrc(value: Any) -> str | None:
    """An ISRC without its dashes, or None where it is not one."""
    plain = text(value).replace("-", "").replace(" ", "").upper()
    return plain if _ISRC.fullmatch(plain) else None


def by_mbid(kind: Kind, mbid: str) -> tuple[dict[str, str], ...]:
    """The keys that an MBID may be: an album's is that of its release or of its release group."""
    if kind is not Kind.ALBUM:
        return ({"musicbrainz_id": mbid},)
    return ({"musicbrainz_release_id": mbid}, {"musicbrainz_release_group_id": mbid})


def is_mbid(value: Any) -> bool:
    """Is this a MusicBrainz id? One that is not makes MusicBrainz and ListenBrainz refuse the whole call."""
    return _UUID.fullmatch(text(value)) is not None


def compact(row: Mapping[str, Any]) -> Json:
    """A row of a list without what is not known."""
    return {name: value for name, value in row.items() if value not in (None, "")}


def people(credit: Iterable[tuple[str, str]]) -> list[Json]:
    """Performers with roles, from (name, what joins it to the next): who stands behind a "feat." is a guest."""
    told, role = [], "main"
    for name, join in credit:
        if name:
            told.append({"name": name, "role": role})
        if join.lower().lstrip(" (").startswith(("feat", "ft")):
            role = "featured"
    return told


# --- telling -------------------------------------------------------------------------------------------------------


class Told:
    """The findings of one reply about one subject.

    sure: confidence by field, `performer.country` before `country`, and "" for the rest. match: 0 to 1, how sure it is
    that the reply is about the subject; every confidence is multiplied by it.
    """

    def __init__(
        self, kind: Kind, keys: Keys, sure: Mapping[str, float], *, match: float = 1.0, reason: str = ""
    ) -> None:
        self.kind = kind
        self.keys = keys
        self._sure = sure
        self._match = match
        self._reason = reason
        self._findings: dict[tuple[Kind | None, str], Finding] = {}

    def tell(self, about: Kind | None = None, /, *, factor: float = 1.0, **fields: Any) -> None:
        """State fields of the subject, or of its performer or album. What is not known is not told, and the first word
        on a field stands. factor: for what is less sure than usual in this reply.
        """
        for name, value in fields.items():
            cleaned = clean_value(about or self.kind, name, value)
            if cleaned is None or (about, name) in self._findings:
                continue
            sure = self._sure.get(f"{about}.{name}", self._sure.get(name, self._sure[""]))
            confidence = round(sure * self._match * factor, 3)
            self._findings[about, name] = Finding(name, cleaned, confidence, about, self._reason)

    def by_performer(self, name: str) -> bool:
        """Is the performer that this reply credits the subject's own? Also where only an id was known."""
        asked = text(self.keys.get("artist_name"))
        return bool(name) and (not asked or same_artist(main_artist(asked), name) >= SAME_PERFORMER)

    def on_album(self, title: str) -> bool:
        """Is the album that this reply names the subject's own? Also where the subject's album is not known."""
        asked = text(self.keys.get("album_title"))
        return bool(title) and (not asked or same_title(asked, title) >= SAME_ALBUM)

    def answer(self) -> Answer:
        """Found, or nothing found where nothing was told."""
        return Answer.found(self._findings.values())


def fields_of(kind: Kind, *names: str) -> frozenset[str]:
    """Field names for `Question.gives`, checked. Those of a parent carry its prefix."""
    for name in names:
        about, _, field = name.rpartition(".")
        if field not in FIELDS[Kind(about) if about else kind]:
            raise ValueError(f"{name!r} is no field of a {kind}")
    return frozenset(names)


# --- choosing ------------------------------------------------------------------------------------------------------


def asked_side(kind: Kind, keys: Keys) -> Side:
    """What is known of the subject, to compare hits with."""
    artist = text(keys.get("name" if kind is Kind.PERFORMER else "artist_name"))
    code = isrc(keys.get("isrc"))
    return Side(
        artist=artist,
        title=text(keys.get("title")),
        album=text(keys.get("album_title")),
        duration_ms=milliseconds(keys.get("duration_ms")),
        isrc=(code,) if code else (),
    )


def pick(kind: Kind, keys: Keys, sides: Sequence[Side]) -> tuple[int | None, float, str]:
    """(index, score, reasons) of the hit that is the subject; index is None where none surely is."""
    if not sides:
        return None, 0.0, "no hits"
    choice = choose(asked_side(kind, keys), sides)
    reasons = "; ".join(choice.reasons)
    if choice.verdict != "chosen":
        return None, choice.score, f"{choice.verdict} among {len(sides)} hits: {reasons}"
    return choice.index, choice.score, reasons


def pages(urls: Mapping[str, Any]) -> tuple[str, ...]:
    """Addresses in one spelling, to see whether two performers have a page in common."""
    return tuple(_SCHEME.sub("", text(url)).rstrip("/").lower() for url in urls.values())


def asked_performer(keys: Keys) -> Performer:
    """What is known of the performer asked about, to compare hits with."""
    return Performer(
        text(keys["name"]),
        links=pages(one(keys.get("external_urls"))),
        titles=tuple(texts(keys.get("titles"))),
        labels=tuple(texts(keys.get("labels"))),
        companions=tuple(texts(keys.get("companions"))),
        country=text(keys.get("country_code")),
    )


def pick_performer(keys: Keys, hits: Sequence[Performer], tell: Callable[[int, float, str], Told]) -> Answer:
    """What is told of the hit that is the performer asked about; unsure, with all of the name, where several may be.

    tell: of a hit's index, the chance that it is the performer, and the reason.
    """
    choice = choose_performer(asked_performer(keys), hits)
    reasons = "; ".join(choice.reasons)
    if choice.index is not None:
        return tell(choice.index, choice.score, reasons).answer()
    if choice.verdict == "none":
        return Answer.nothing(f"none among {len(hits)} hits: {reasons}" if hits else "no hits")
    several = len(choice.namesakes) > 1
    return Answer.unsure(
        f"{len(choice.namesakes)} performers of this name" if several else f"unsure: {reasons}",
        [_candidate(hits[each.index], each, tell) for each in choice.namesakes[:MOST_CANDIDATES]],
    )


def _candidate(hit: Performer, found: Namesake, tell: Callable[[int, float, str], Told]) -> Candidate:
    said = tell(found.index, 1.0, "chosen by a person").answer().findings
    return Candidate(hit.id, hit.name, found.score, found.reasons, said)


def fits(kind: Kind, keys: Keys, side: Side) -> tuple[bool, float, str]:
    """(taken, score, reasons) for a reply found by an identifier that may be shared or wrong, such as an ISRC.

    Without any name to compare, the identifier alone decides.
    """
    asked = asked_side(kind, keys)
    if not asked.artist and not asked.title:
        return True, 0.9, "identifier alone"
    index, score, reasons = pick(kind, keys, [side])
    return index is not None, score, reasons


# --- asking --------------------------------------------------------------------------------------------------------


def judge_window(reply: Reply, window: float) -> Judgement:
    """The verdict on a reply of a service behind MetaBrainz' rate limiter (brainzutils): it counts calls in windows of
    the clock, and its 429 says in X-RateLimit-Reset-In how long this one lasts. window: its length in seconds.
    """
    verdict = judge_http(reply)
    if verdict.verdict is not Verdict.OUR_RATE:
        return verdict
    wait = reply.headers.get("x-ratelimit-reset-in", "")
    return Judgement(Verdict.OUR_RATE, float(wait) if wait.isdecimal() else window, verdict.message)


class Api:
    """An upstream's JSON interface, for sources without a client library of their own. Thread-safe."""

    def __init__(self, line: Line, headers: Mapping[str, str] | None = None, base_url: str = "") -> None:
        """base_url: that of another host of the upstream."""
        self.line = line
        self.base_url = base_url or line.base_url
        self._http = line.httpx_client()
        self._http.headers.update(headers or {})

    def get(self, *path: str, **params: Any) -> Any:
        """The reply's JSON, or None where the upstream has nothing there. Raises ValueError where it is not JSON."""
        url = "/".join((self.base_url, *(quote(part, safe=":") for part in path)))
        known = {name: value for name, value in params.items() if value not in (None, "")}
        return _content(self._http.get(url, params=known))

    def post(self, path: str, content: Any) -> Any:
        """The reply's JSON to a JSON body, as `get` gives it."""
        body = json.dumps(content).encode()
        headers = {"content-type": "application/json"}
        return _content(self._http.post(f"{self.base_url}/{path}", content=body, headers=headers))


def _content(reply: httpx.Response) -> Any:
    if reply.status_code in (404, 410):
        return None
    content = reply.json()
    if content is None:
        raise ValueError("null is no answer")
    return content
