"""Listens in the shapes in which others hand them over, read into one.

our own           {"listened_at", "artist_name", "track_name", "album_name", "artwork_url", "isrc", "duration_ms"}
ListenBrainz      {"listened_at", "track_metadata": {…}}, alone, in its API's `payload`, in its export's lines
Last.fm           the tracks of `user.getRecentTracks`, and what the common export tools make of them
CSV               columns under any of these names
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from enrichment.services.requests import BadRequest, Id, Name, TrackRequest, Url, read

LONGEST = 500
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""What players without a clock say; Last.fm keeps their plays under it."""
AHEAD = timedelta(days=1)
"""How far the clock of a player may be ahead of ours."""
MILLISECONDS_FROM = 100_000_000_000
"""A number this large counts milliseconds: as seconds it would be the year 5138."""
_TEXT_MOMENTS = ("%d %b %Y %H:%M", "%d %b %Y, %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M")


def _moment(given: Any) -> datetime:
    """A number of seconds or milliseconds, ISO 8601, or a date as Last.fm writes it; without a zone it is UTC."""
    if isinstance(given, bool) or given is None:
        raise ValueError("is no moment")
    said = str(given).strip()
    try:
        number = float(said)
    except ValueError:
        return _written(said)
    try:
        return datetime.fromtimestamp(number / 1000 if number >= MILLISECONDS_FROM else number, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError("is no moment") from error


def _written(said: str) -> datetime:
    for form in ("", *_TEXT_MOMENTS):
        try:
            moment = datetime.strptime(said, form) if form else datetime.fromisoformat(said)  # noqa: DTZ007 - UTC below
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise ValueError("is neither seconds since 1970 nor a date")


def _composed(given: Any) -> Any:
    """Players disagree on how an accent is written; two spellings of one character are the same name."""
    return unicodedata.normalize("NFC", given) if isinstance(given, str) else given


Heard = Annotated[Name, StringConstraints(max_length=LONGEST), BeforeValidator(_composed)]


class Listen(BaseModel):
    """One play, as its player told it. artwork_url: the picture that came with it."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)

    listened_at: Annotated[datetime, BeforeValidator(_moment)]
    artist_name: Heard
    track_name: Heard
    album_name: Heard | None = None
    artwork_url: Url | None = None
    isrc: Id | None = None
    spotify_id: Id | None = None
    musicbrainz_id: Id | None = None
    duration_ms: int | None = Field(default=None, gt=0, lt=86_400_000)

    @property
    def play(self) -> tuple[datetime, str, str]:
        """What makes two listens of a user one."""
        return self.listened_at, self.artist_name, self.track_name

    def request(self, priority: int) -> TrackRequest:
        """What is asked of the fleet about it."""
        return TrackRequest(
            artist_name=self.artist_name,
            track_title=self.track_name,
            album_title=self.album_name,
            duration_ms=self.duration_ms,
            existing_isrc=self.isrc,
            existing_spotify_id=self.spotify_id,
            existing_musicbrainz_id=self.musicbrainz_id,
            temporary_artwork_url=self.artwork_url,
            priority=priority,
        )


def read_listen(given: Any, now: datetime) -> Listen | None:
    """The listen, None where it is only being played now. A text is what is wrong with its line. Raises BadRequest."""
    if isinstance(given, str):
        raise BadRequest(given)
    if not isinstance(given, Mapping):
        raise BadRequest("is not an object with artist, track and moment")
    if _is_playing(given):
        return None
    listen = read(Listen, _without_blanks(_flat(given)))
    if not EARLIEST <= listen.listened_at <= now + AHEAD:
        raise BadRequest(f"listened_at: {listen.listened_at.isoformat()} is before 1970 or in the future")
    return listen


def _is_playing(given: Mapping[str, Any]) -> bool:
    """Last.fm puts what is being played before the rest of a page, without a moment."""
    attributes = given.get("@attr")
    return isinstance(attributes, Mapping) and str(attributes.get("nowplaying")).lower() == "true"


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given.get("track_metadata"), Mapping):
        return _of_listenbrainz(given)
    return _of_columns(given)


def _of_listenbrainz(given: Mapping[str, Any]) -> dict[str, Any]:
    told = given["track_metadata"]
    more, mapped = (_object(told.get(name)) for name in ("additional_info", "mbid_mapping"))
    seconds = more.get("duration")
    return {
        "listened_at": given.get("listened_at"),
        "artist_name": told.get("artist_name"),
        "track_name": told.get("track_name"),
        "album_name": told.get("release_name"),
        "artwork_url": more.get("artwork_url"),
        "isrc": more.get("isrc"),
        "spotify_id": _last_part(more.get("spotify_id")),
        "musicbrainz_id": mapped.get("recording_mbid") or more.get("recording_mbid"),
        "duration_ms": more.get("duration_ms") or (seconds * 1000 if isinstance(seconds, int) else None),
    }


def _last_part(address: Any) -> Any:
    """Spotify's id, which ListenBrainz has as the address of a page."""
    return address.rstrip("/").rpartition("/")[2] if isinstance(address, str) else None


COLUMNS = {
    "listened_at": ("listened_at", "uts", "ts", "timestamp", "time", "date", "utc_time"),
    "artist_name": ("artist_name", "artist"),
    "track_name": ("track_name", "track", "track_title", "title", "name", "song"),
    "album_name": ("album_name", "album", "album_title", "release_name"),
    "artwork_url": ("artwork_url", "temporary_artwork_url", "image"),
    "isrc": ("isrc",),
    "spotify_id": ("spotify_id",),
    "duration_ms": ("duration_ms",),
}
"""What a key or a column may be called, in lower case; the first that is there is taken. Last.fm's MBIDs are left out:
they are of a release's track, or of another recording, as often as of this one.
"""


def _of_columns(given: Mapping[str, Any]) -> dict[str, Any]:
    known = {str(name).strip().lower(): value for name, value in given.items()}
    return {
        field: next((value for name in names if (value := _plain(known.get(name)))), None)
        for field, names in COLUMNS.items()
    }


def _plain(value: Any) -> Any:
    """What Last.fm wraps: `{"#text"}`, `{"uts"}`, `{"name"}`; of several pictures the largest, which is the last."""
    if isinstance(value, list):
        value = value[-1] if value else None
    if isinstance(value, Mapping):
        return value.get("uts") or value.get("#text") or value.get("name")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _without_blanks(given: Mapping[str, Any]) -> dict[str, Any]:
    """Exports have no other way to say "not known" than an empty text."""
    return {name: value for name, value in given.items() if value is not None and str(value).strip()}


HOLDERS = ("payload", "listens", "scrobbles", "recenttracks", "track", "tracks")
"""Keys under which lists of listens stand, page by page."""


DEEPEST = 6
"""So many lists and objects may stand around a listen; what is deeper is no export."""


def inside(given: Any, deepest: int = DEEPEST) -> Iterator[Any]:
    """The listens in a whole answer or export, however it wraps them; what is none of these is itself."""
    held = next((given[name] for name in HOLDERS if _holds(given, name)), None)
    if isinstance(given, list) and deepest:
        for each in given:
            yield from inside(each, deepest - 1)
    elif held is not None and deepest:
        yield from inside(held, deepest - 1)
    else:
        yield given


def _holds(given: Any, name: str) -> bool:
    return isinstance(given, Mapping) and isinstance(given.get(name), list | Mapping)
