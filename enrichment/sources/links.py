"""Links that upstreams give: of which kind they are, and which identifiers they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from enrichment.domain.subjects import Kind

_HOSTS = {
    "allmusic.com": "allmusic",
    "bandcamp.com": "bandcamp",
    "bandsintown.com": "bandsintown",
    "beatport.com": "beatport",
    "deezer.com": "deezer",
    "discogs.com": "discogs",
    "facebook.com": "facebook",
    "genius.com": "genius",
    "imdb.com": "imdb",
    "instagram.com": "instagram",
    "itunes.apple.com": "apple_music",
    "last.fm": "lastfm",
    "mixcloud.com": "mixcloud",
    "music.apple.com": "apple_music",
    "music.youtube.com": "youtube_music",
    "myspace.com": "myspace",
    "ra.co": "resident_advisor",
    "residentadvisor.net": "resident_advisor",
    "setlist.fm": "setlistfm",
    "songkick.com": "songkick",
    "soundcloud.com": "soundcloud",
    "spotify.com": "spotify",
    "tidal.com": "tidal",
    "tiktok.com": "tiktok",
    "twitch.tv": "twitch",
    "twitter.com": "twitter",
    "vk.com": "vk",
    "wikidata.org": "wikidata",
    "wikipedia.org": "wikipedia",
    "x.com": "twitter",
    "youtube.com": "youtube",
}

_IDS: dict[Kind, dict[str, re.Pattern[str]]] = {
    Kind.TRACK: {
        "spotify_id": re.compile(r"open\.spotify\.com/(?:intl-\w+/)?track/([0-9A-Za-z]{22})"),
        "deezer_id": re.compile(r"deezer\.com/(?:\w\w/)?track/([0-9]+)"),
    },
    Kind.PERFORMER: {
        "spotify_id": re.compile(r"open\.spotify\.com/(?:intl-\w+/)?artist/([0-9A-Za-z]{22})"),
        "deezer_id": re.compile(r"deezer\.com/(?:\w\w/)?artist/([0-9]+)"),
        "discogs_id": re.compile(r"discogs\.com/(?:\w\w/)?artist/([0-9]+)"),
        "wikidata_id": re.compile(r"wikidata\.org/(?:wiki|entity)/(Q[0-9]+)"),
    },
    Kind.ALBUM: {
        "spotify_id": re.compile(r"open\.spotify\.com/(?:intl-\w+/)?album/([0-9A-Za-z]{22})"),
        "deezer_id": re.compile(r"deezer\.com/(?:\w\w/)?album/([0-9]+)"),
        "discogs_id": re.compile(r"discogs\.com/(?:[^/]+/)?release/([0-9]+)"),
    },
}


def kind_of(url: str, relation: str = "") -> str:
    """What a link leads to ("soundcloud", "homepage"), or "" where it is none of the kinds we keep.

    relation: MusicBrainz' word for it; "official homepage" says what no host name can.
    """
    host = (urlsplit(url).hostname or "").lower()
    parts = host.split(".")
    for start in range(len(parts) - 1):
        if known := _HOSTS.get(".".join(parts[start:])):
            return known
    return "homepage" if relation == "official homepage" else ""


def by_kind(links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{kind: url} of (url, relation) pairs; the first of a kind stands."""
    found: dict[str, str] = {}
    for url, relation in links:
        if kind := kind_of(url, relation):
            found.setdefault(kind, url)
    return found


def ids_in(kind: Kind, urls: Iterable[str]) -> dict[str, Any]:
    """The identifiers of a subject of this kind that stand in its links, by field name; the first of each stands."""
    found: dict[str, Any] = {}
    for url in urls:
        for field, pattern in _IDS[kind].items():
            if match := pattern.search(url):
                found.setdefault(field, match[1])
    return found
