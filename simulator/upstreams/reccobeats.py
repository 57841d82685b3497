"""ReccoBeats: tracks and audio features by its own, Spotify's or ISRC ids; what it does not know is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

from simulator import dice, places, shares, sound
from simulator.truth import Track, group
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request, json_reply

MOST_IDS = 40
MOST_ISRCS = 20
"""Of a call for features, where an ISRC may bring several rows. What is above either is dropped."""
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", re.IGNORECASE)
_WRONG = {
    4001: "ids is required",
    4041: "ResourceNotFoundException",
    4042: "No such path",
    4291: "Too many requests",
}

Json = dict[str, Any]


def _error(status: int, code: int, request: Request) -> Reply:
    # The codes are documented, the names around them are not.
    return json_reply({"error": code, "message": _WRONG[code], "path": request.path}, status)


def _own_id(track: Track) -> str:
    return dice.mbid("reccobeats", track.spotify_id)


class ReccoBeats(Upstream):
    """Tracks and audio features."""

    source = "reccobeats"
    seconds: ClassVar[float] = 0.25

    def prepare(self) -> tuple[object, ...]:
        """The indexes by each kind of id."""
        return self._own, self._isrcs

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        parts = [part for part in request.path.split("/") if part]
        match parts:
            case ["v1", "track"]:
                return self._several(request, self._show_track, MOST_IDS)
            case ["v1", "audio-features"]:
                return self._several(request, self._show_features, MOST_ISRCS)
            case ["v1", "track", own_id]:
                return self._one(request, own_id, self._show_track)
            case ["v1", "track", own_id, "audio-features"]:
                return self._one(request, own_id, self._show_features)
        return _error(404, 4042, request)

    def refuse(self, wait: int, request: Request) -> Reply:
        """429 with a Retry-After."""
        reply = _error(429, 4291, request)
        reply.headers["retry-after"] = str(wait)
        return reply

    # -- finding

    @cached_property
    def _own(self) -> dict[str, Track]:
        """Tracks by ReccoBeats' own id and by Spotify's."""
        tracks = self.part.tracks(self.world.tracks)
        return {known: track for track in tracks for known in (_own_id(track), track.spotify_id)}

    @cached_property
    def _isrcs(self) -> dict[str, list[Track]]:
        return group(self.part.tracks(self.world.tracks), lambda track: self.part.isrc(track).upper())

    def _find(self, known: str) -> Sequence[Track]:
        if known in self._own:
            return [self._own[known]]
        return self._isrcs.get(known.upper(), ())

    def _several(self, request: Request, show: Callable[[Track], Json], most_isrcs: int) -> Reply:
        """The tracks of these ids, in an order of its own."""
        ids = [known for given in request.args.get("ids", []) for known in given.split(",") if known]
        if not ids:
            return _error(400, 4001, request)
        kept = ids[:MOST_IDS]
        dropped = set(islice(filter(_ISRC.fullmatch, kept), most_isrcs, None))
        found = {_own_id(track): track for known in kept if known not in dropped for track in self._find(known)}
        return json_reply({"content": [show(found[own_id]) for own_id in sorted(found)]}, items=len(ids))

    def _one(self, request: Request, own_id: str, show: Callable[[Track], Json]) -> Reply:
        track = self._own.get(own_id)
        if track is None or own_id == track.spotify_id:
            return _error(404, 4041, request)
        return json_reply(show(track))

    # -- showing

    def _head(self, track: Track) -> Json:
        return {
            "id": _own_id(track),
            "href": f"https://open.spotify.com/track/{track.spotify_id}",
            "isrc": self.part.isrc(track),
        }

    def _show_features(self, track: Track) -> Json:
        known = shares.knows("reccobeats", "key", track.recording.key)
        return {
            **self._head(track),
            **sound.features(track),
            "key": track.key if known else -1,
            "mode": track.mode,
            "tempo": round(sound.tempo("reccobeats", track), 3),
        }

    def _show_track(self, track: Track) -> Json:
        return {
            **self._head(track),
            "trackTitle": track.title,
            "artists": [
                {
                    "id": dice.mbid("reccobeats artist", artist.key),
                    "name": artist.name,
                    "href": f"https://open.spotify.com/artist/{artist.spotify_id}",
                }
                for artist in track.recording.artists
            ],
            "durationMs": track.duration_ms,
            "ean": None,
            "upc": None,
            "availableCountries": ",".join(places.MARKETS),
            "popularity": track.popularity,
        }
