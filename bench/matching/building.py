"""Labelled sets made from a catalogue of real tracks: the same recording told twice, its siblings, tags gone bad.

What is real: names, versions, durations, ISRCs, albums, and which of them stand beside each other. What is made: how
people write them down. Each row is drawn by its own id, so a set is the same on every machine and a row does not change
when others come or go.

Rows of pairs: {"id", "set", "a": side, "b": side, "same": bool}; of choices: {"id", "set", "query": side, "candidates":
[side with "id"], "right": id}.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from enrichment.domain.text import fold, split_title, words

Row = dict[str, Any]
Track = dict[str, Any]

SHOP_SPREAD_MS = 2_500
"""What two shops differ by about the length of one recording: rounding, and silence cut or kept."""
SIBLINGS = 6
"""Recordings of one song looked at, at most."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Tracks with their songs (same artist, same name, several versions) and a few of everybody's names."""

    tracks: tuple[Track, ...]
    songs: dict[str, tuple[Track, ...]]
    by_artist: dict[str, tuple[Track, ...]]

    @classmethod
    def of(cls, rows: Iterable[Track]) -> Catalogue:
        """Tracks without a name, and repeated ids, are left out."""
        tracks = {row["spotify_id"]: row for row in rows if row.get("title") and row.get("artists")}
        songs: dict[str, list[Track]] = defaultdict(list)
        by_artist: dict[str, list[Track]] = defaultdict(list)
        for track in tracks.values():
            songs[_song(track)].append(track)
            by_artist[fold(track["artists"][0])].append(track)
        return cls(tuple(tracks.values()), _frozen(songs), _frozen(by_artist))


def _frozen(groups: dict[str, list[Track]]) -> dict[str, tuple[Track, ...]]:
    return {name: tuple(group) for name, group in groups.items()}


def _song(track: Track) -> str:
    base = " ".join(words(split_title(track["title"]).base))
    return f"{fold(track['artists'][0])}\n{base or fold(track['title'])}"


def _version(track: Track) -> str:
    return " ".join(words(split_title(track["title"]).version))


_SAME_RECORDING = re.compile(r"^(?:\d{4} )?(?:digital(?:ly)? )?re ?master\w*(?: \d{4})?(?: version)?$|^$")


def _plain(track: Track) -> bool:
    """Is it the song's plain recording, remastered or not?"""
    return _SAME_RECORDING.match(_version(track)) is not None


def _draw(*of: object) -> random.Random:
    return random.Random("\n".join(map(str, of)))


# --- how people write ----------------------------------------------------------------------------------------------


def _slip(text: str, draw: random.Random) -> str:
    """One slip of the pen in a longer word: a letter left out, doubled, or two swapped."""
    found = list(re.finditer(r"[^\W\d_]{5,}", text))
    if not found:
        return text
    word = draw.choice(found)
    at = draw.randrange(word.start() + 1, word.end() - 1)
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return draw.choice([text[:at] + text[at + 1 :], text[:at] + text[at] + text[at:], swapped])


def _unaccented(text: str) -> str:
    """Without the accents of Latin letters; a Japanese voicing mark stays."""
    marked = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", marked))


_HABITS: tuple[tuple[float, Callable[[str, random.Random], str]], ...] = (
    (0.10, lambda text, _: text.upper()),
    (0.15, lambda text, _: text.lower()),
    (0.10, lambda text, _: text.title()),
    (0.30, lambda text, _: _unaccented(text)),
    (0.15, lambda text, _: text.replace("'", "").replace("’", "")),
    (0.20, lambda text, _: text.replace("'", "’")),
    (0.10, lambda text, _: re.sub(r"(?<!eatur)ing\b", "in'", text)),
    (0.10, lambda text, _: re.sub(r"[!?.](?=\s|$)", "", text)),
    (0.05, lambda text, _: text.replace(" ", "  ")),
    (0.06, _slip),
)


def _written(text: str, draw: random.Random) -> str:
    for chance, habit in _HABITS:
        if draw.random() < chance:
            text = habit(text, draw) or text
    return text


def _credit(names: Sequence[str], draw: random.Random) -> str:
    joined = draw.choice([" & ", " & ", ", ", " and ", " x ", " vs. ", " / "]).join(names[:4])
    if len(names) > 1 and draw.random() < 0.15:
        joined = " & ".join(reversed(names[:4]))
    return joined.removeprefix("The ") if draw.random() < 0.1 else joined


def _guests(track: Track) -> tuple[list[str], list[str]]:
    """(main, guests) of a credit: guests stand in the title, or come after the first of three and more."""
    told = split_title(track["title"]).featured
    names = track["artists"]
    guests = [name for name in names[1:] if any(fold(name) == fold(guest) for guest in told)]
    return [name for name in names if name not in guests], guests


_REMIX_WORDS = ("Remix", "Remix", "Remix", "remix", "Rmx", "RMX", "Mix")


def _told_version(version: str, draw: random.Random) -> str:
    if not version:
        return draw.choice([" (Original Mix)", " (Original)"]) if draw.random() < 0.15 else ""
    version = re.sub(r"\bRemix$", lambda _: draw.choice(_REMIX_WORDS), version)
    return draw.choice([f" ({version})", f" ({version})", f" ({version})", f" - {version}", f" [{version}]"])


def _line(track: Track, draw: random.Random, version: str | None = None) -> str:
    """A track as a tracklist has it: "[012] A & B feat. C - Title (Some Remix) [Label - CAT001]"."""
    title = split_title(track["title"])
    main, guests = _guests(track)
    remixers = [name for name in main[1:] if fold(name) in fold(title.version)]
    if draw.random() < 0.8:
        main = [name for name in main if name not in remixers]
    credit = _credit(main, draw)
    guest = f" {draw.choice(['feat.', 'ft.', 'Feat', 'featuring', 'f/'])} {' & '.join(guests)}" if guests else ""
    place = draw.random()
    credited = credit + (guest if place < 0.6 else "")
    named = title.base + (f" ({guest.strip()})" if guest and 0.6 <= place < 0.8 else "")
    told = _told_version(title.version if version is None else version, draw)
    if title.notes and draw.random() < 0.3:
        named = re.sub(r"\s*[(\[][^()\[\]]*[)\]]", "", named) or named
    line = f"{_written(credited, draw)} - {_written(named + told, draw)}"
    return _before(draw) + line + _after(track, draw)


def _before(draw: random.Random) -> str:
    clock = draw.randrange(7200)
    kind = draw.random()
    if kind < 0.25:
        return f"[{clock // 60:03}] "
    if kind < 0.35:
        return f"[{clock // 3600}:{clock // 60 % 60:02}:{clock % 60:02}] "
    if kind < 0.42:
        return f"{draw.randrange(1, 30):02}. "
    return f"{draw.choice(['Tune Of The Week', 'Flashback', 'Future Favorite'])}: " if kind > 0.985 else ""


def _after(track: Track, draw: random.Random) -> str:
    label = re.split(r"[/,(]", track.get("label") or draw.choice(["Drumcode", "Warp", "Kompakt", "White"]))[0].strip()
    kind = draw.random()
    if kind < 0.45:
        return f" [{label}]"
    letters = "".join(filter(str.isalpha, _unaccented(label).upper()))[:4] or "CAT"
    return f" [{label} - {letters}{draw.randrange(1, 400):03}]" if kind < 0.65 else ""


# --- tracklist lines -----------------------------------------------------------------------------------------------


def tracklists(catalogue: Catalogue, tracks: Iterable[Track]) -> Iterator[Row]:
    """The same recording in two lines, and for each such pair one of the same song in two versions."""
    for track in tracks:
        draw = _draw("tracklist", track["spotify_id"])
        yield _pair("tracklist", track, "same", {"line": _line(track, draw)}, {"line": _line(track, draw)})
        other = _other_version(catalogue, track, draw)
        yield _pair("tracklist", track, "other", {"line": _line(track, draw)}, {"line": other})


def _pair(name: str, track: Track, kind: str, a: Row, b: Row) -> Row:
    return {"id": f"{name}:{track['spotify_id']}:{kind}", "set": name, "a": a, "b": b, "same": kind == "same"}


_VERSIONS = (
    "Instrumental",
    "Acoustic",
    "Live",
    "VIP Mix",
    "Dub",
    "Dub Mix",
    "Acappella",
    "Demo",
    "Club Mix",
    "Reprise",
)
_LENGTHS = ("Extended Mix", "Radio Edit", "Extended Remix", '12" Version')


def _other_version(catalogue: Catalogue, track: Track, draw: random.Random) -> str:
    """A line of the same song in another version: a real sibling where there is one, else a made version."""
    siblings = [
        other
        for other in catalogue.songs[_song(track)]
        if _version(other) != _version(track) and not (_plain(other) and _plain(track))
    ]
    if siblings and draw.random() < 0.7:
        return _line(draw.choice(siblings), draw)
    remixer = draw.choice(draw.choice(catalogue.tracks)["artists"])
    made = [f"{remixer} {word}" for word in ("Remix", "Remix", "Remix", "Edit", "Dub", "Rework", "Bootleg")]
    version = draw.choice(made) if draw.random() < 0.6 else draw.choice(_VERSIONS + _LENGTHS)
    return _line(track, draw, version)


# --- two shops -----------------------------------------------------------------------------------------------------


def _record(track: Track, **more: Any) -> Row:
    told = {
        "artist": ", ".join(track["artists"]),
        "title": track["title"],
        "album": track.get("album"),
        "duration_ms": track["duration_ms"],
        "year": _year(track.get("release_date") or ""),
        "label": track.get("label"),
        "isrc": track.get("isrc"),
        **more,
    }
    return {name: value for name, value in told.items() if value not in (None, "")}


def _year(date: str) -> int | None:
    return int(date[:4]) if date[:4].isdecimal() else None


def _other_shop(track: Track, draw: random.Random) -> Row:
    """The same record as another shop writes it."""
    title = split_title(track["title"])
    main, guests = _guests(track)
    named = title.base
    if guests and draw.random() < 0.6:
        named += draw.choice([" (feat. {})", " [feat. {}]", " ( feat. {} )", " (Featuring {})"]).format(
            " & ".join(guests)
        )
    if title.version:
        named += draw.choice([" ({})", " [{}]", " ( {} )", " - {}"]).format(title.version)
    if draw.random() < 0.25:
        named += draw.choice([" [Explicit]", " (Album Version)"])
    album = track.get("album") or ""
    if album and draw.random() < 0.4:
        album += draw.choice([" - Single", " - EP", " (Deluxe Version)", " [Explicit]", " (Remastered)"])
    off = draw.randrange(-SHOP_SPREAD_MS, SHOP_SPREAD_MS) if draw.random() < 0.96 else draw.randrange(4_000, 9_000)
    told = _credit(main + ([] if draw.random() < 0.7 else guests), draw)
    return _record(
        track,
        artist=_written(told, draw),
        title=_written(named, draw) if draw.random() < 0.5 else named,
        album=album,
        duration_ms=max(1_000, (track["duration_ms"] + off) // 1000 * 1000),
        isrc=None,
    )


def shops(catalogue: Catalogue, tracks: Iterable[Track]) -> Iterator[Row]:
    """One record in two shops, and two records that are easily taken for one: siblings, covers, the album's next."""
    for track in tracks:
        draw = _draw("shops", track["spotify_id"])
        one = _record(track, isrc=None)
        again = [
            other
            for other in catalogue.songs[_song(track)]
            if other is not track and track.get("isrc") and other.get("isrc") == track["isrc"]
        ]
        other = _other_shop(draw.choice(again) if again else track, draw)
        yield _pair("shops", track, "same", one, other)
        yield _pair("shops", track, "other", one, _other_shop(_taken_for(catalogue, track, draw), draw))


def _taken_for(catalogue: Catalogue, track: Track, draw: random.Random) -> Track:
    others = [other for other in catalogue.songs[_song(track)][:SIBLINGS] if _is_another(track, other)]
    if others and draw.random() < 0.6:
        return draw.choice(others)
    if draw.random() < 0.3:
        apart = track["duration_ms"] + draw.choice([-1, 1]) * draw.randrange(17_000, 90_000)
        return {**track, "duration_ms": max(1_000, apart), "album": f"Live at {draw.choice(['Wembley', 'the BBC'])}"}
    if draw.random() < 0.4:
        imitator = draw.choice(["Karaoke All Stars", "The Tribute Band", "Piano Covers", "Done Again"])
        title = f"{track['title']} (In the Style of {track['artists'][0]})" if draw.random() < 0.5 else track["title"]
        off = draw.randrange(-5_000, 5_000)
        return {**track, "artists": [imitator], "title": title, "duration_ms": track["duration_ms"] + off}
    beside = [other for other in catalogue.by_artist[fold(track["artists"][0])] if _song(other) != _song(track)]
    return draw.choice(beside or catalogue.tracks)


def _is_another(track: Track, other: Track) -> bool:
    """Another recording beyond doubt: a version named on one side only, or lengths far apart."""
    apart = abs(track["duration_ms"] - other["duration_ms"])
    versions = _version(track) != _version(other) and not (_plain(track) and _plain(other))
    return apart > 15_000 or (versions and apart > 3_000)


# --- choosing ------------------------------------------------------------------------------------------------------


def choices(catalogue: Catalogue, tracks: Iterable[Track]) -> Iterator[Row]:
    """A file's tags, gone bad in one to three ways, and what a search brings: those like it, and in 19 of 20 it."""
    for track in tracks:
        draw = _draw("choosing", track["spotify_id"])
        others = _candidates(catalogue, track, draw)
        query = _degraded(track, others, draw)
        missing = draw.random() < 0.05
        candidates = [_record(each, id=each["spotify_id"]) for each in (others if missing else (track, *others))]
        draw.shuffle(candidates)
        row = {"id": f"choosing:{track['spotify_id']}", "set": "choosing", "query": query, "candidates": candidates}
        yield {**row, "right": None if missing else track["spotify_id"]}


def _candidates(catalogue: Catalogue, track: Track, draw: random.Random) -> list[Track]:
    siblings = [other for other in catalogue.songs[_song(track)] if _is_another(track, other)][:SIBLINGS]
    beside = [other for other in catalogue.by_artist[fold(track["artists"][0])] if _song(other) != _song(track)]
    made = [
        _made(track, draw, draw.choice(["Live", "Karaoke Version", "Acoustic", "Radio Edit", "Instrumental"]), 0.5),
        _made(track, draw, f"{draw.choice(draw.choice(catalogue.tracks)['artists'])} Remix", 1.0),
    ]
    cover = {**track, "spotify_id": f"cover{track['spotify_id']}", "isrc": _code(draw), "album": "Covers"}
    cover["artists"] = _stranger(catalogue, track, draw)
    return [*siblings, *draw.sample(beside, min(3, len(beside))), *made, cover]


def _stranger(catalogue: Catalogue, track: Track, draw: random.Random) -> list[str]:
    own = fold(track["artists"][0])
    names: list[str] = draw.choice([group[0]["artists"] for name, group in catalogue.by_artist.items() if name != own])
    return names


def _made(track: Track, draw: random.Random, version: str, apart: float) -> Track:
    """A version that the catalogue lacks: another length and code, its album named after it half of the time."""
    base = split_title(track["title"]).base
    off = round(draw.uniform(8_000, 60_000) * draw.choice([-apart, 1]))
    return {
        **track,
        "spotify_id": f"{version[:4].strip()}{track['spotify_id']}",
        "title": f"{base} - {version}",
        "duration_ms": max(30_000, track["duration_ms"] + off),
        "isrc": _code(draw),
        "album": draw.choice([track.get("album"), f"{base} ({version})"]),
    }


def _code(draw: random.Random) -> str:
    return f"{draw.choice(['GB', 'US', 'DE'])}{draw.choice(['A1B', 'UM7', 'ZZZ'])}{draw.randrange(10**7):07}"


def _degraded(track: Track, others: Sequence[Track], draw: random.Random) -> Row:
    """What a bad tagger leaves of a record. Artist and title stay readable: without them nobody could choose."""
    query = _record(track)
    for damage in draw.sample(_DAMAGES, draw.randrange(1, 4)):
        damage(query, track, others, draw)
    return {name: value for name, value in query.items() if value not in (None, "")}


def _wrong_isrc(query: Row, _: Track, others: Sequence[Track], draw: random.Random) -> None:
    codes = [other["isrc"] for other in others if other.get("isrc")]
    query["isrc"] = draw.choice(codes) if codes and draw.random() < 0.6 else _code(draw)


def _wrong_duration(query: Row, track: Track, _: Sequence[Track], draw: random.Random) -> None:
    query["duration_ms"] = max(
        1_000, (query.get("duration_ms") or track["duration_ms"]) + draw.choice([-1, 1]) * draw.randrange(4_000, 40_000)
    )


def _misspelt(query: Row, _: Track, __: Sequence[Track], draw: random.Random) -> None:
    name = draw.choice(["artist", "title"])
    query[name] = _slip(query[name], draw) if draw.random() < 0.7 else _written(query[name], draw)


def _first_artist(query: Row, track: Track, __: Sequence[Track], ___: random.Random) -> None:
    query["artist"] = track["artists"][0]


def _joined_artists(query: Row, track: Track, __: Sequence[Track], draw: random.Random) -> None:
    query["artist"] = _credit(track["artists"], draw)


def _without(*names: str) -> Callable[[Row, Track, Sequence[Track], random.Random], None]:
    def forget(query: Row, _: Track, __: Sequence[Track], ___: random.Random) -> None:
        for name in names:
            query.pop(name, None)

    return forget


_DAMAGES: tuple[Callable[[Row, Track, Sequence[Track], random.Random], None], ...] = (
    _wrong_isrc,
    _wrong_isrc,
    _wrong_duration,
    _misspelt,
    _misspelt,
    _first_artist,
    _joined_artists,
    _without("isrc"),
    _without("album", "label", "year"),
    _without("duration_ms"),
)


def build(rows: Iterable[Track], *, most: int) -> Iterator[Row]:
    """All sets of a catalogue. most: tracks drawn for each, most of them with siblings, because those are hard."""
    catalogue = Catalogue.of(rows)
    drawn = sorted(catalogue.tracks, key=lambda track: _order(catalogue, track))[:most]
    yield from tracklists(catalogue, drawn)
    yield from shops(catalogue, drawn)
    yield from choices(catalogue, drawn)


def _order(catalogue: Catalogue, track: Track) -> tuple[bool, float]:
    alone = len(catalogue.songs[_song(track)]) == 1
    draw = _draw("order", track["spotify_id"]).random()
    return alone and draw > 0.3, draw
