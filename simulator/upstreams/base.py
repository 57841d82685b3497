"""What every simulated upstream is made of."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from statistics import NormalDist
from typing import ClassVar

from simulator import dice, names, shares
from simulator.limits import Limit
from simulator.search import Index
from simulator.truth import Album, Performer, Recording, Track, World
from simulator.wire import Reply, Request

_NORMAL = NormalDist()


class Upstream(ABC):
    """One source: subclass it in a file of its own and declare what is below; it is found by itself.

    source: its name, the first part of its address. roots: paths under which its client libraries find it when they are
    only pointed at the host. seconds, spread: the median of its answers' latency, and how wide it scatters.
    names_wait: whether its refusals say how long to wait.
    """

    source: ClassVar[str]
    roots: ClassVar[tuple[str, ...]] = ()
    seconds: ClassVar[float] = 0.1
    spread: ClassVar[float] = 0.35
    names_wait: ClassVar[bool] = True

    def __init__(self, part: Part, *, speed: float = 1.0, unlimited: bool = False) -> None:
        self.part = part
        self.world = part.world
        self.speed = speed
        self.unlimited = unlimited

    def prepare(self) -> tuple[object, ...]:
        """Build the indexes that answers need, so that the first one is not slow."""
        return ()

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """The reply to a request within the limits."""

    @abstractmethod
    def refuse(self, wait: int, request: Request) -> Reply:
        """The reply to a request over the limits, with the whole seconds to wait where the source names them."""

    def stamps(self, _reply: Reply, _limit: Limit | None, _now: float) -> dict[str, str]:
        """The headers that the source puts on its replies beside those of the answer."""
        return {}

    def latency(self, request: Request) -> float:
        """Seconds that this request's answer takes, by its hash."""
        chance = dice.share("latency", self.source, request.path, request.query, request.body)
        return self.seconds * math.exp(self.spread * _NORMAL.inv_cdf(min(0.999, max(0.001, chance))))


class Shelf:
    """The world's things in order, with their indexes; shared by all sources."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.recordings = list(world.recordings.values())
        self.performers = [performer for performer in world.performers.values() if performer.tracks]
        self.albums = list(world.albums.values())
        self.place = {recording.key: number for number, recording in enumerate(self.recordings)}

    @cached_property
    def _musicbrainz(self) -> Part:
        return Part("musicbrainz", self)

    def has_mbid(self, thing: Recording | Performer | Album) -> bool:
        """Whether there is an MBID of it to be told, by whomever: of what MusicBrainz has."""
        match thing:
            case Recording():
                return self._musicbrainz.has(thing)
            case Performer():
                return self._musicbrainz.has_performer(thing)
            case Album():
                return self._musicbrainz.has_album(thing)

    @cached_property
    def recording_index(self) -> Index:
        """Recordings by the words of title, artists and albums."""
        words: dict[str, list[str]] = {}

        def split(text: str) -> list[str]:
            if text not in words:
                words[text] = names.tokens(text)
            return words[text]

        return Index(
            {
                "title": [split(recording.title) for recording in self.recordings],
                "artist": [
                    [word for artist in recording.artists for word in split(artist.name)]
                    for recording in self.recordings
                ],
                "album": [split(recording.tracks[0].album.title) for recording in self.recordings],
            }
        )

    @cached_property
    def performer_index(self) -> Index:
        """Performers by the words of their names."""
        return Index({"artist": [names.tokens(performer.name) for performer in self.performers]})

    @cached_property
    def album_index(self) -> Index:
        """Albums by the words of title and artist."""
        return Index(
            {
                "album": [names.tokens(album.title) for album in self.albums],
                "artist": [names.tokens(album.artist.name) for album in self.albums],
            }
        )


class Part:
    """The part of the world that one source knows. Performers and albums are known by their tracks."""

    def __init__(self, source: str, shelf: Shelf) -> None:
        self.source = source
        self.shelf = shelf
        self.world = shelf.world

    @cached_property
    def _known(self) -> bytes:
        return bytes(shares.knows(self.source, "recording", recording.key) for recording in self.shelf.recordings)

    def has(self, recording: Recording) -> bool:
        """Whether the source has the recording."""
        return bool(self._known[self.shelf.place[recording.key]])

    def has_performer(self, performer: Performer) -> bool:
        """Whether the source has a track by the performer."""
        return any(self.has(track.recording) for track in performer.tracks)

    def has_album(self, album: Album) -> bool:
        """Whether the source has a track of the album."""
        return any(self.has(track.recording) for track in album.tracks)

    def tells_mbid(self, share: str, thing: Recording | Performer | Album) -> bool:
        """Whether the source tells the MBID of what it has. share: of those that there are."""
        return self.shelf.has_mbid(thing) and shares.knows(self.source, share, thing.key)

    def tracks(self, tracks: Sequence[Track]) -> list[Track]:
        """Those of the tracks that the source has."""
        return [track for track in tracks if self.has(track.recording)]

    def isrc(self, track: Track) -> str:
        """The ISRC as the source states it."""
        return self.isrc_of(self.source, self.world, track)

    @staticmethod
    def isrc_of(source: str, world: World, track: Track) -> str:
        """The ISRC as a source states it: on a few recordings it is another one's."""
        if shares.knows("any", "wrong_isrc", (source, track.recording.key)):
            return dice.choose(world.tracks, "wrong isrc", source, track.recording.key).isrc
        return track.isrc

    def find_recordings(
        self, words: Sequence[str], fields: Sequence[str], limit: int, least: float = 0.5
    ) -> list[Recording]:
        """The recordings that a plain search finds, best first; now and then a wrong one is above the right one."""
        shelf = self.shelf
        hits = shelf.recording_index.rank(
            words,
            fields,
            limit,
            allowed=lambda number: bool(self._known[number]),
            least=least,
            prefer=lambda number: shelf.recordings[number].tracks[0].popularity / 100,
        )
        found = [shelf.recordings[number] for number, _ in hits]
        if len(found) > 1 and dice.share("order", self.source, *words) < 0.06:
            found[0], found[1] = found[1], found[0]
        return found

    def find_performers(self, words: Sequence[str], limit: int) -> list[Performer]:
        """The performers that a plain search finds, best first; of the same name the better known."""
        shelf = self.shelf
        hits = shelf.performer_index.rank(
            words,
            ("artist",),
            limit,
            allowed=lambda number: self.has_performer(shelf.performers[number]),
            prefer=lambda number: shelf.performers[number].popularity / 100,
        )
        return [shelf.performers[number] for number, _ in hits]

    def find_albums(self, words: Sequence[str], limit: int, fields: Sequence[str] = ("album", "artist")) -> list[Album]:
        """The albums that a plain search finds, best first."""
        shelf = self.shelf
        hits = shelf.album_index.rank(words, fields, limit, allowed=lambda number: self.has_album(shelf.albums[number]))
        return [shelf.albums[number] for number, _ in hits]
