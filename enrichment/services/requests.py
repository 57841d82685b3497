"""What producers hand in, checked at the edge. The names are those of the tasks and of POST /enrich."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

LONGEST_NAME = 1000
LONGEST_ID = 200
LONGEST_URL = 2000
PRINTABLE = "".join(each for each in map(chr, range(0x21, 0x7F)) if each not in "[]")
"""But brackets: players have them in queries, where they make an address that libraries refuse to read."""


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("contains a NUL byte")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("is not valid Unicode") from error
    return value


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME), AfterValidator(_no_nul)
]
Id = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_ID), AfterValidator(_no_nul)
]


def _percent_encoded(value: Any) -> Any:
    """An address as it is written on the wire: players send letters of all alphabets in it."""
    return quote(value.strip(), safe=PRINTABLE, errors="replace") if isinstance(value, str) else value


Url = Annotated[
    str,
    StringConstraints(max_length=LONGEST_URL, pattern=r"^https?://[!-~]+$"),
    BeforeValidator(_percent_encoded),
]


class Request(BaseModel):
    """Of every request. priority: 1-10. wanted: fields, where not the usual ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, populate_by_name=True)

    priority: int = Field(default=5, ge=1, le=10)
    force_refresh: bool = False
    correlation_id: Id | None = None


class TrackRequest(Request):
    """A track by the producer's own id, by names, or both.

    temporary_artwork_url: a picture to be shown until a cover is found.
    """

    track_id: Id | None = None
    artist_name: Name | None = Field(default=None, validation_alias=AliasChoices("artist_name", "artist"))
    track_title: Name | None = Field(default=None, validation_alias=AliasChoices("track_title", "title", "track_name"))
    album_title: Name | None = Field(default=None, validation_alias=AliasChoices("album_title", "album"))
    duration_ms: int | None = Field(default=None, gt=0, lt=86_400_000)
    existing_spotify_id: Id | None = None
    existing_isrc: Id | None = Field(default=None, validation_alias=AliasChoices("existing_isrc", "isrc"))
    existing_musicbrainz_id: Id | None = None
    temporary_artwork_url: Url | None = None


class PerformerRequest(Request):
    """A performer by the producer's own id, by name, or both."""

    performer_id: Id | None = None
    name: Name | None = None


class AlbumRequest(Request):
    """An album by the producer's own id, by names, or both."""

    album_id: Id | None = None
    artist_name: Name | None = Field(default=None, validation_alias=AliasChoices("artist_name", "artist"))
    album_title: Name | None = Field(default=None, validation_alias=AliasChoices("album_title", "title"))


R = TypeVar("R", bound=BaseModel)


class BadRequest(ValueError):  # noqa: N818 - it is the request that is bad
    """A request that cannot be taken; the message names the field and what is wrong with it."""


class Conflict(BadRequest):
    """What could be done, were things not as they are."""


class Unknown(BadRequest):
    """An id that nobody knows, without the names that would create its subject."""


def read(model: type[R], given: dict[str, Any]) -> R:
    """The request. Raises BadRequest."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadRequest(complaints(error)) from error


def complaints(error: ValidationError) -> str:
    """What is wrong with each field."""
    return "; ".join(_complaint(each) for each in error.errors(include_url=False))


def _complaint(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "request"
    given = repr(error.get("input"))
    shown = given if len(given) <= 60 else f"{given[:60]}… ({len(given):,} characters)"
    return f"{field}: {error['msg']} (got {shown})"
