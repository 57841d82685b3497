"""What MusicBrainz' data says, for all that answer from it: lengths, ISRCs, tags, links."""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator import dice, names, shares
from simulator.limits import Limit
from simulator.truth import Album, Performer, Recording, Track
from simulator.upstreams.base import Part
from simulator.wire import Reply

# MusicBrainz' relationship types of an artist's links, the address, and how often one is there (estimates).
_LINKS = (
    ("free streaming", "https://open.spotify.com/artist/{p.spotify_id}", 0.7),
    ("free streaming", "https://www.deezer.com/artist/{p.deezer_id}", 0.5),
    ("discogs", "https://www.discogs.com/artist/{p.discogs_id}", 0.65),
    ("wikidata", "https://www.wikidata.org/wiki/{p.wikidata_id}", 0.55),
    ("soundcloud", "https://soundcloud.com/{slug}", 0.35),
    ("social network", "https://www.instagram.com/{slug}/", 0.4),
    ("social network", "https://www.facebook.com/{slug}", 0.4),
    ("official homepage", "https://www.{slug}.com/", 0.45),
    ("bandcamp", "https://{slug}.bandcamp.com/", 0.3),
    ("youtube", "https://www.youtube.com/user/{slug}", 0.4),
    ("last.fm", "https://www.last.fm/music/{slug}", 0.6),
)


def links(performer: Performer) -> list[tuple[str, str]]:
    """The artist's links: type and address."""
    if not shares.knows("musicbrainz", "url", performer.key):
        return []
    slug = "".join(c for c in names.squash(performer.name) if c.isascii()) or dice.hexadecimal(8, performer.key)
    return [
        (kind, address.format(p=performer, slug=slug))
        for number, (kind, address, chance) in enumerate(_LINKS)
        if dice.share("link", number, performer.key) < chance
    ]


def recording_links(recording: Recording) -> list[tuple[str, str]]:
    """The recording's links: type and address."""
    if not shares.knows("musicbrainz", "spotify_link", recording.key):
        return []
    return [("free streaming", f"https://open.spotify.com/track/{recording.tracks[0].spotify_id}")]


def title(recording: Recording) -> str:
    """The recording's title: a live recording has the song's, and says the rest in its disambiguation."""
    return names.read_title(recording.title).base if recording.sibling == "live" else recording.title


def disambiguation(recording: Recording) -> str:
    """What tells it from others of the same name."""
    return names.read_title(recording.title).version.lower() if recording.sibling == "live" else ""


def length(recording: Recording) -> int | None:
    """Milliseconds, or None where MusicBrainz has none."""
    return recording.duration_ms if shares.knows("musicbrainz", "length", recording.key) else None


def isrcs(part: Part, recording: Recording) -> list[str]:
    """The recording's ISRCs, without repeats."""
    if not shares.knows("musicbrainz", "isrc", recording.key):
        return []
    # One database behind all that answer from it, so the wrong ones are the same too.
    return list(dict.fromkeys(wrong_or_right(part, track) for track in recording.tracks))


def wrong_or_right(part: Part, track: Track) -> str:
    """The track's ISRC as MusicBrainz states it."""
    return Part.isrc_of("musicbrainz", part.world, track)


def tags(genres: Sequence[str], share: str, key: str) -> list[tuple[str, int]]:
    """Genres as MusicBrainz' tags, with votes; empty where nobody tagged."""
    if not shares.knows("musicbrainz", share, key):
        return []
    return [(genre, 1 + dice.number("votes", share, key, genre) % 12) for genre in genres]


def artist_tags(performer: Performer) -> list[tuple[str, int]]:
    """The performer's."""
    return tags(performer.genres, "artist_tags", performer.key)


def recording_tags(recording: Recording) -> list[tuple[str, int]]:
    """The recording's: the first genres of its artist."""
    return tags(recording.artists[0].genres[:2], "recording_tags", recording.key)


def group_tags(album: Album) -> list[tuple[str, int]]:
    """The release group's: those of its first track's artist."""
    return tags(album.tracks[0].recording.artists[0].genres, "group_tags", album.key)


def genre_mbid(genre: str) -> str:
    """The genre's MBID."""
    return dice.mbid("genre", genre)


def country(performer: Performer) -> tuple[str, str]:
    """ISO code and name of the performer's area, empty where MusicBrainz has none."""
    known = shares.knows("musicbrainz", "country", performer.key)
    return (performer.country, performer.area) if known else ("", "")


def window_headers(reply: Reply, limit: Limit | None, now: float) -> dict[str, str]:
    """The X-RateLimit-* headers of MetaBrainz' rate limiter, with the seconds that are left of the window."""
    most, left, rest = limit.left(now) if limit else (1000, 1000, 10.0)
    if reply.verdict in ("over_limit", "in_pause") or reply.wait:
        left, rest = 0, max(rest, reply.wait)
    return {
        "x-ratelimit-limit": str(most),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset-in": str(max(1, math.ceil(rest))),
        "x-ratelimit-reset": str(math.ceil(now + rest)),
    }
