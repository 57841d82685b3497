"""Subjects, lanes, and the fields each kind of subject can have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Literal


class Kind(StrEnum):
    PERFORMER = "performer"
    TRACK = "track"
    ALBUM = "album"


class Status(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


class Lane(StrEnum):
    CRITICAL = "critical"
    DEFAULT = "default"
    LOW_PRIORITY = "low_priority"


PRIORITIES = range(1, 11)


def lane_of(priority: int) -> Lane:
    """The lane a priority of 1-10 travels on: 10 is critical, 4-9 default, 1-3 low_priority."""
    if priority not in PRIORITIES:
        raise ValueError(f"priority must be 1 to 10, not {priority!r}")
    if priority == 10:
        return Lane.CRITICAL
    return Lane.DEFAULT if priority >= 4 else Lane.LOW_PRIORITY


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a subject.

    shape: how values merge. "scalar": the best one wins; "list" and "map": what the sources say is united.
    """

    name: str
    type: type
    shape: Literal["scalar", "list", "map"] = "scalar"


def _fields(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


def _text(*names: str) -> list[Field]:
    return [Field(name, str) for name in names]


FIELDS: dict[Kind, dict[str, Field]] = {
    Kind.TRACK: _fields(
        *_text("title", "artist_name", "album_title", "isrc", "spotify_id", "musicbrainz_id", "deezer_id"),
        *_text("lastfm_url", "key", "camelot", "release_date", "label", "artwork_url", "temporary_artwork_url"),
        Field("duration_ms", int),
        Field("bpm", float),
        Field("popularity", int),
        Field("explicit", bool),
        Field("artists", list, "list"),
        Field("bpm_alternatives", list, "list"),
        Field("genres", list, "list"),
        Field("audio_features", dict, "map"),
        Field("external_urls", dict, "map"),
    ),
    Kind.PERFORMER: _fields(
        *_text("name", "spotify_id", "musicbrainz_id", "discogs_id", "deezer_id", "wikidata_id", "ra_artist_id"),
        *_text("ra_artist_url", "image_url", "country", "country_code", "biography"),
        Field("popularity", int),
        Field("followers", int),
        Field("images", list, "list"),
        Field("artwork", dict, "map"),
        Field("genres", list, "list"),
        Field("aliases", list, "list"),
        Field("external_urls", dict, "map"),
    ),
    Kind.ALBUM: _fields(
        *_text("title", "artist_name", "musicbrainz_release_id", "musicbrainz_release_group_id", "spotify_id"),
        *_text("discogs_id", "deezer_id", "barcode", "label", "release_date", "cover_art_url"),
        *_text("temporary_artwork_url"),
        Field("popularity", int),
        Field("images", list, "list"),
        Field("artwork", dict, "map"),
        Field("genres", list, "list"),
        Field("tracklist", list, "list"),
        Field("external_urls", dict, "map"),
    ),
}
"""Every field by kind, with the names of the public contract. Scalars are columns of the subject's table; lists and
maps live in its `metadata` column. `artwork` is the picture we downloaded and checked: `url`, `width`, `height`,
`format`, `bytes`, `sha256`, and for pages `sizes`, `colour`, `blurhash`."""

WANTED: dict[Kind, frozenset[str]] = {
    Kind.TRACK: frozenset(
        {
            "isrc",
            "spotify_id",
            "musicbrainz_id",
            "duration_ms",
            "bpm",
            "key",
            "genres",
            "release_date",
            "popularity",
            "label",
            "artwork_url",
            "audio_features",
        }
    ),
    Kind.PERFORMER: frozenset(
        {
            "musicbrainz_id",
            "spotify_id",
            "image_url",
            "country",
            "country_code",
            "genres",
            "popularity",
            "followers",
            "external_urls",
        }
    ),
    Kind.ALBUM: frozenset(
        {
            "musicbrainz_release_id",
            "musicbrainz_release_group_id",
            "cover_art_url",
            "label",
            "release_date",
            "barcode",
            "genres",
        }
    ),
}
"""What is looked for where a request does not say."""

INHERITED: dict[Kind, dict[str, tuple[Kind, str]]] = {
    Kind.TRACK: {
        "artwork_url": (Kind.ALBUM, "cover_art_url"),
        "temporary_artwork_url": (Kind.ALBUM, "temporary_artwork_url"),
        "label": (Kind.ALBUM, "label"),
        "genres": (Kind.PERFORMER, "genres"),
    },
    Kind.ALBUM: {},
    Kind.PERFORMER: {},
}
"""Fields that a subject has from its album or performer where it has none of its own."""

NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.TRACK: ("artist_name", "title"),
    Kind.PERFORMER: ("name",),
    Kind.ALBUM: ("artist_name", "title"),
}
"""What a producer must give for a subject that is not known yet."""


def clean_value(kind: Kind, field: str, value: Any) -> Any:
    """`value` as it may be stored for this field, or None where it says nothing or has the wrong type.

    Sources state numbers as text, empty strings for "not known" and NUL bytes that PostgreSQL refuses.
    """
    spec = FIELDS[kind].get(field)
    if spec is None or value is None or value in ("", [], {}):
        return None
    if spec.type is str:
        text = str(value).replace("\x00", "").strip() if isinstance(value, str | int) else ""
        return text or None
    if spec.type in (int, float):
        return _number(spec.type, value)
    return value if isinstance(value, spec.type) else None


def _number(wanted: type, value: Any) -> int | float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not isfinite(number):
        return None
    return round(number) if wanted is int else number


def without_nul(value: Any) -> Any:
    """PostgreSQL's text and JSON hold no NUL, at whatever depth a source sends one."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [without_nul(each) for each in value]
    if isinstance(value, dict):
        return {str(name).replace("\x00", ""): without_nul(each) for name, each in value.items()}
    return value
