"""One world behind all sources: performers, recordings, the tracks they are sold as, and albums.

Facts come from the catalogue where it has them; the rest is invented by hash of the thing's identity, so that it is the
same in every run and behind every source. What a source shows of it is decided in `shares` and `upstreams`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from simulator import catalogue, dice, names, places, shares

GENRES = (
    "ambient breakbeat breakcore deep_house detroit_techno downtempo drum_and_bass dub dub_techno dubstep electro "
    "electronic house idm jungle minimal_techno progressive_house synth-pop tech_house techno trance trip_hop "
    "alternative_rock art_rock black_metal blues_rock death_metal folk hard_rock hip_hop indie_pop indie_rock jazz "
    "krautrock metal new_wave noise pop post-punk post-rock psychedelic_rock punk reggae rock shoegaze ska soul "
    "contemporary_r&b funk disco classical country singer-songwriter"
)
INVENTED_GENRES = tuple(name.replace("_", " ") for name in GENRES.split())
LABELS = "Northern Tape|Blue Gate|Kontor Nord|Half Moon|Parallel|Low Tide|Ninefold|Grey Area|Silver Lining|Sunday Best"
FEATURES = (
    "danceability",
    "energy",
    "loudness",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
)
VARIOUS = "Various Artists"
VARIOUS_MBID = "89ad4ac3-39f7-470e-963a-56509c546377"  # MusicBrainz' own special-purpose artist

# How many recordings get a sibling that fools searches, by hash of the recording: the upper bound of each kind.
SIBLINGS = (("live", 0.10), ("remix", 0.18), ("karaoke", 0.24), ("cover", 0.30))
NAMESAKES = 0.04

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class Performer:
    """An artist. `key` is the identity that chance is thrown by; `country` an ISO 3166-1 code."""

    key: str
    name: str
    mbid: str
    spotify_id: str
    country: str
    area: str
    type: str
    begin: str
    end: str
    disambiguation: str = ""
    deezer_id: int = 0
    genres: tuple[str, ...] = ()
    popularity: int = 0
    tracks: list[Track] = field(default_factory=list)
    albums: list[Album] = field(default_factory=list)

    @property
    def followers(self) -> int:
        """Grows with the popularity: some thousands in the middle, tens of millions at the top."""
        return int(10 ** (1.5 + self.popularity / 17) * (0.5 + dice.share("followers", self.key)))

    @property
    def discogs_id(self) -> int:
        """The number of the artist's page at Discogs."""
        return 1000 + dice.number("discogs", self.key) % 9_000_000

    @property
    def wikidata_id(self) -> str:
        """The item of the artist at Wikidata."""
        return f"Q{1000 + dice.number('wikidata', self.key) % 120_000_000}"

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other spellings; about a third of the performers have one."""
        plain = names.fold(self.name).title()
        if plain not in (self.name, self.name.title()):
            return (plain,)
        return (f"The {self.name}",) if dice.share("alias", self.key) < 0.15 else ()

    @property
    def sort_name(self) -> str:
        """As in a shelf: "Beatles, The", "Bowie, David"."""
        words = self.name.split()
        if words and words[0] == "The" and len(words) > 1:
            return " ".join(words[1:]) + ", The"
        if self.type == "Person" and len(words) == 2:
            return f"{words[1]}, {words[0]}"
        return self.name


@dataclass(slots=True, eq=False)
class Recording:
    """One recorded performance. `title` as an editor writes it; `guests` of the artists are credited as "feat."."""

    key: str
    title: str
    artists: tuple[Performer, ...]
    guests: int
    mbid: str
    duration_ms: int
    sibling: str = ""
    tracks: list[Track] = field(default_factory=list)

    @property
    def credits(self) -> tuple[tuple[Performer, str], ...]:
        """The artists, each with the words that join it to the next."""
        count, main = len(self.artists), len(self.artists) - self.guests
        joins = [" feat. " if i + 1 == main else " & " if i + 2 in (main, count) else ", " for i in range(count - 1)]
        return tuple(zip(self.artists, [*joins, ""], strict=True))

    @property
    def credit(self) -> str:
        """The artists as one line."""
        return "".join(artist.name + join for artist, join in self.credits)

    @property
    def date(self) -> str:
        """When it first came out: the earliest date of its tracks' albums."""
        return min((track.album.date for track in self.tracks if track.album.date), default="")


@dataclass(slots=True, eq=False)
class Track:
    """A recording as it is sold on an album. `title` as streaming services print it; `key` 0–11, `mode` 1 for major."""

    recording: Recording
    album: Album
    title: str
    position: int
    disc: int
    duration_ms: int
    isrc: str
    spotify_id: str
    popularity: int
    explicit: bool
    tempo: float
    key: int
    mode: int
    features: tuple[float, ...] | None = None
    deezer_id: int = 0


@dataclass(slots=True, eq=False)
class Album:
    """A release, the one in its group. `kind` is album, single or compilation; `image` the cover's hash at Spotify."""

    key: str
    title: str
    artist: Performer
    mbid: str
    group_mbid: str
    spotify_id: str
    barcode: str
    label: str
    date: str
    image: str
    deezer_id: int = 0
    tracks: list[Track] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """By the artist and the number of tracks."""
        if self.artist.name == VARIOUS:
            return "compilation"
        return "single" if len(self.tracks) < 3 and names.squash(self.title) == _title_key(self.tracks) else "album"

    @property
    def cover_id(self) -> int:
        """The number of its picture at the Cover Art Archive."""
        return 829_000_000 + dice.number("cover", self.key) % 40_000_000_000


def _title_key(tracks: list[Track]) -> str:
    return names.squash(names.read_title(tracks[0].title).base) if tracks else ""


class World:
    """Everything there is. Build it with `World.build`."""

    def __init__(self) -> None:
        self.performers: dict[str, Performer] = {}
        self.recordings: dict[str, Recording] = {}
        self.albums: dict[str, Album] = {}
        self.tracks: list[Track] = []
        self.nowhere: set[str] = set()
        self._artists: dict[str, catalogue.Row] = {}
        self._artists_by_name: dict[str, catalogue.Row] = {}
        self._spotify_ids: dict[str, str] = {}
        self._taken: set[str | int] = set()

    @classmethod
    def build(cls, path: str | Path | None = None, listens: str | Path | None = None) -> World:
        """The world of a catalogue (without one, the small one that ships) and of a listening log."""
        world = cls()
        rows = list(catalogue.load(path))
        world._learn_artists(catalogue.artists(path), rows)
        for row in rows:
            world._add_row(row)
        for listen in catalogue.listens(listens) if listens else ():
            world._add_listen(*listen)
        world._add_siblings()
        world._add_namesakes()
        world._number()
        return world

    # -- finding

    @cached_property
    def by_mbid(self) -> dict[str, Recording]:
        """Recordings by MBID."""
        return {recording.mbid: recording for recording in self.recordings.values()}

    @cached_property
    def performer_by_mbid(self) -> dict[str, Performer]:
        """Performers by MBID."""
        return {performer.mbid: performer for performer in self.performers.values()}

    @cached_property
    def album_by_mbid(self) -> dict[str, Album]:
        """Albums by the MBID of their release."""
        return {album.mbid: album for album in self.albums.values()}

    @cached_property
    def album_by_group(self) -> dict[str, Album]:
        """Albums by the MBID of their release group."""
        return {album.group_mbid: album for album in self.albums.values()}

    # -- building

    def _learn_artists(self, artists: dict[str, catalogue.Row], rows: list[catalogue.Row]) -> None:
        """What is known of the artists, before the first is made: a later row may know more than an earlier one."""
        for row in rows:
            artists.update((facts["mbid"], facts) for facts in row.get("artist_facts", ()))
            for name, spotify_id in zip(row["artists"], row.get("artist_ids", ()), strict=False):
                self._spotify_ids.setdefault(names.squash(name), spotify_id)
        self._artists = artists
        several: set[str] = set()
        for facts in artists.values():
            key = names.squash(facts["name"])
            if key in self._artists_by_name:
                several.add(key)
            self._artists_by_name[key] = facts
        for key in several:
            del self._artists_by_name[key]

    def _once(self, wanted: str | None, invent: Callable[[], str]) -> str:
        """The wanted id where it is free, else an invented one: two things never share an id."""
        if wanted and wanted not in self._taken:
            self._taken.add(wanted)
            return wanted
        made = invent()
        self._taken.add(made)
        return made

    def _performer(self, name: str, *, mbid: str = "", key: str = "") -> Performer:
        key = key or names.squash(name)
        known = self.performers.get(key)
        if known is not None:
            return known
        facts = self._artists.get(mbid) or (self._artists_by_name.get(key) if not mbid else None) or {}
        if facts and names.squash(facts["name"]) != key:
            facts = {}  # Last.fm's MBIDs are often another artist's
        mbid = facts.get("mbid", "" if mbid in self._artists else mbid)
        if key == names.squash(VARIOUS):
            mbid = VARIOUS_MBID
        country = facts.get("country") or ("" if facts.get("area") else dice.choose(places.WEIGHTED, "country", key))
        performer = Performer(
            key=key,
            name=name,
            mbid=self._once(mbid, lambda: dice.mbid("artist", key)),
            spotify_id=self._once(self._spotify_ids.get(key), lambda: dice.spotify_id("artist", key)),
            country=country,
            area=facts.get("area") or places.NAMES.get(country, ""),
            type=facts.get("type") or dice.choose(("Person", "Group"), "type", key),
            begin=facts.get("begin") or str(1950 + dice.number("begin", key) % 55),
            end=facts.get("end", ""),
        )
        self.performers[key] = performer
        return performer

    def _album(self, title: str, artist: Performer, date: str, row: catalogue.Row) -> Album:
        key = f"{artist.key}|{names.squash(title)}"
        known = self.albums.get(key)
        if known is not None:
            known.date = min(known.date, date) if known.date and date else known.date or date
            return known
        album = Album(
            key=key,
            title=title,
            artist=artist,
            mbid=self._once(row.get("album_mbid"), lambda: dice.mbid("release", key)),
            group_mbid=dice.mbid("release-group", key),
            spotify_id=self._once(row.get("album_id"), lambda: dice.spotify_id("album", key)),
            barcode=dice.barcode("album", key),
            label=row.get("label") or dice.choose(LABELS.split("|"), "label", key),
            date=date,
            image=row.get("album_image") or "ab67616d0000b273" + dice.hexadecimal(24, "cover", key),
        )
        self.albums[key] = album
        artist.albums.append(album)
        return album

    def _recording(
        self, title: names.Title, artists: tuple[Performer, ...], guests: int, duration_ms: int, sibling: str = ""
    ) -> Recording:
        key = f"{artists[0].key}|{names.squash(title.base)}|{names.squash(title.version) if title.version else ''}"
        known = self.recordings.get(key)
        if known is not None:
            return known
        recording = Recording(key, title.clean, artists, guests, dice.mbid("recording", key), duration_ms, sibling)
        self.recordings[key] = recording
        return recording

    def _track(self, recording: Recording, album: Album, title: str, row: catalogue.Row) -> Track:
        known = f"{recording.key}|{album.key}|{len(recording.tracks)}"
        performer = recording.artists[0]
        popularity = row.get("popularity")
        if popularity is None:
            popularity = int(60 * dice.share("popularity", performer.key) * (0.5 + dice.share("popularity", known) / 2))
        year = int(album.date[:4]) if album.date[:4].isdigit() else 2010
        country = performer.country if performer.country in places.COUNTRIES else "QZ"
        invented = "tempo" not in row
        track = Track(
            recording=recording,
            album=album,
            title=title,
            position=row.get("track_no") or len(album.tracks) + 1,
            disc=row.get("disc") or 1,
            duration_ms=row.get("duration_ms") or recording.duration_ms,
            isrc=row.get("isrc") or dice.isrc(country, max(year, 1986), recording.key),
            spotify_id=self._once(row.get("spotify_id"), lambda: dice.spotify_id("track", known)),
            popularity=popularity,
            explicit=bool(row.get("explicit")),
            tempo=row["tempo"] if not invented else round(70 + 110 * dice.share("tempo", recording.key), 3),
            key=row["key"] if not invented else dice.number("key", recording.key) % 12,
            mode=row["mode"] if not invented else dice.number("mode", recording.key) % 2,
            features=None if invented else tuple(row[name] for name in FEATURES),
        )
        recording.tracks.append(track)
        album.tracks.append(track)
        self.tracks.append(track)
        for artist in recording.artists:
            artist.tracks.append(track)
            artist.popularity = max(artist.popularity, popularity)
        return track

    def _add_row(self, row: catalogue.Row) -> None:
        title = names.read_title(row["title"])
        guests = {names.squash(name) for name in title.featured}
        listed = [name for name in row["artists"] if name.strip()]
        first = [name for name in listed if names.squash(name) not in guests] or listed[:1]
        ordered = [*first, *(name for name in listed if name not in first)]
        known = {row["artists"][0]: row.get("artist_mbid", "")}
        artists = tuple(self._performer(name, mbid=known.get(name, "")) for name in ordered)
        artists = tuple(dict.fromkeys(artists))
        recording = self._recording(title, artists, len(artists) - min(len(first), len(artists)), row["duration_ms"])
        for genre in row.get("genres", ()):
            if genre not in artists[0].genres and len(artists[0].genres) < 5:
                artists[0].genres = (*artists[0].genres, genre)
        sleeve = (row.get("album_artists") or [artists[0].name])[0]
        album = self._album(
            row.get("album") or title.clean, self._performer(sleeve), read_date(row.get("release_date")), row
        )
        self._track(recording, album, row["title"], row)

    def _add_listen(self, artist: str, track: str, album: str, mbid: str) -> None:
        name, guests = names.read_artist(artist)
        title = names.read_title(track)
        guests = tuple(dict.fromkeys((*guests, *title.featured)))
        identity = (
            f"{names.squash(name)}|{names.squash(title.base)}|{names.squash(title.version) if title.version else ''}"
        )
        if identity in self.recordings:
            return
        if shares.knows("any", "nowhere", identity):
            self.nowhere.add(identity)
            return
        performer = self._performer(name, mbid=mbid)
        others = tuple(self._performer(guest) for guest in guests if names.squash(guest) != performer.key)
        duration = 120_000 + dice.number("duration", identity) % 300_000
        recording = self._recording(title, (performer, *dict.fromkeys(others)), len(dict.fromkeys(others)), duration)
        sleeve = names.read_title(album).clean if album.strip() else title.clean
        year = 1970 + dice.number("year", performer.key, names.squash(sleeve)) % 52
        date = f"{year}-{1 + year * 7 % 12:02d}-{1 + dice.number('day', identity) % 28:02d}"
        self._track(recording, self._album(sleeve, performer, date, {}), recording.title, {})

    def _add_siblings(self) -> None:
        karaoke = self._performer("Karaoke Hit Machine")
        everyone = list(self.performers.values())
        for recording in list(self.recordings.values()):
            chance = dice.share("sibling", recording.key)
            kind = next((name for name, bound in SIBLINGS if chance < bound), "")
            if kind and "(" not in recording.title:
                self._add_sibling(kind, recording, karaoke, everyone)

    def _add_sibling(self, kind: str, recording: Recording, karaoke: Performer, everyone: list[Performer]) -> None:
        original = recording.tracks[0]
        other = dice.choose(everyone, "sibling of", recording.key)
        artist, guests, version = {
            "live": (recording.artists, recording.guests, f"Live at {dice.choose(places.VENUES, recording.key)}"),
            "remix": (recording.artists, recording.guests, f"{other.name} Remix"),
            "karaoke": ((karaoke,), 0, f"Karaoke Version, made famous by {recording.artists[0].name}"),
            "cover": ((other,), 0, ""),
        }[kind]
        title = names.Title(recording.title, version)
        stretch = 0.9 + 0.4 * dice.share("stretch", recording.key)
        duration = int(recording.duration_ms * stretch)
        sibling = self._recording(title, artist, guests, duration, sibling=kind)
        if sibling.tracks or sibling is recording:
            return
        year = min(2024, int(original.album.date[:4] or 2000) + 1 + dice.number("later", recording.key) % 8)
        album = self._album(f"{recording.title} ({kind.title()})", artist[0], f"{year}-06-01", {})
        printed = f"{recording.title} - {version}" if version else recording.title
        self._track(sibling, album, printed, {"popularity": original.popularity * 2 // 3})

    def _add_namesakes(self) -> None:
        everyone = [performer for performer in self.performers.values() if performer.tracks]
        for performer in everyone:
            if dice.share("namesake", performer.key) >= NAMESAKES:
                continue
            namesake = self._performer(performer.name, key=f"{performer.key}#2")
            namesake.disambiguation = f"{places.NAMES[namesake.country]} {dice.choose(INVENTED_GENRES, namesake.key)}"
            borrowed = dice.choose(everyone, "borrowed", performer.key).tracks[0].recording
            title = names.read_title(borrowed.title)
            recording = self._recording(title, (namesake,), 0, borrowed.duration_ms + 20_000, sibling="namesake")
            album = self._album(title.base, namesake, "2012-03-01", {})
            self._track(recording, album, recording.title, {"popularity": 3})

    def _number(self) -> None:
        """Deezer's numbers, and genres where nobody knows any; done last, in the order of the world."""
        taken: set[int] = set()

        def free(*parts: object) -> int:
            value = 1_000 + dice.number("deezer", *parts) % 3_000_000_000
            while value in taken:
                value += 1
            taken.add(value)
            return value

        for performer in self.performers.values():
            performer.deezer_id = free("artist", performer.key)
            if not performer.genres:
                count = 1 + dice.number("genres", performer.key) % 3
                picked = (dice.choose(INVENTED_GENRES, "genre", n, performer.key) for n in range(count))
                performer.genres = tuple(dict.fromkeys(picked))
        for album in self.albums.values():
            album.deezer_id = free("album", album.key)
        for track in self.tracks:
            track.deezer_id = free("track", track.spotify_id)


_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def read_date(text: str | None) -> str:
    """A date of the catalogue as YYYY, YYYY-MM or YYYY-MM-DD; "" where there is none. Some are written 9/5/2025."""
    american = _AMERICAN.fullmatch(text or "")
    if american:
        month, day, year = american.groups()
        return f"{year}-{int(month):02d}-{int(day):02d}"
    return text or ""


def group(things: Iterable[V], key: Callable[[V], K]) -> dict[K, list[V]]:
    """The things by key, in order."""
    grouped: dict[K, list[V]] = {}
    for thing in things:
        grouped.setdefault(key(thing), []).append(thing)
    return grouped
