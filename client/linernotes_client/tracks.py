"""A track as producers have it, made a request of the service or of the task `enrich_track`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Track = Mapping[str, Any] | str
"""What a producer knows of a track, under the service's names or the usual ones of scrapers; or only its id."""

_TEXT = {
    "track_id": ("track_id", "id"),
    "artist_name": ("artist_name", "primary_artist", "original_artist", "artist", "artists"),
    "track_title": ("track_title", "track_name", "title"),
    "album_title": ("album_title", "album_name", "album"),
    "existing_spotify_id": ("existing_spotify_id", "spotify_id"),
    "existing_isrc": ("existing_isrc", "isrc"),
    "existing_musicbrainz_id": ("existing_musicbrainz_id", "musicbrainz_id"),
    "correlation_id": ("correlation_id",),
}
_PRIMARY = {"primary", "main"}


def request_of(track: Track, **defaults: Any) -> dict[str, Any]:
    """The request, without what is not known. defaults: what holds where the track does not say."""
    if isinstance(track, str):
        return {**defaults, "track_id": track}
    request = dict(defaults)
    for name, aliases in _TEXT.items():
        if found := next((text for alias in aliases if (text := _text(track.get(alias)))), None):
            request[name] = found
    if (milliseconds := _milliseconds(track.get("duration_ms"))) is not None:
        request["duration_ms"] = milliseconds
    return request | {name: track[name] for name in ("priority", "force_refresh") if track.get(name) is not None}


def _text(value: Any) -> str | None:
    """Scrapers have lists of one, lists of artists, and ids as numbers."""
    if isinstance(value, list | tuple):
        value = next((each for each in value if isinstance(each, Mapping) and each.get("role") in _PRIMARY), None) or (
            value[0] if value else None
        )
    if isinstance(value, Mapping):
        value = value.get("name")
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _milliseconds(value: Any) -> int | None:
    try:
        milliseconds = round(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return milliseconds if milliseconds > 0 else None
