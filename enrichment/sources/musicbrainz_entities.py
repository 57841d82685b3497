"""What MusicBrainz' entities say: recordings, releases and artists, in the shape of its JSON.

Lookups and searches tell the same in the same words; whatever a reply leaves out is only not told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from enrichment.domain.matching import Side, same_artist
from enrichment.domain.subjects import Kind
from enrichment.domain.text import split_title
from enrichment.sources import links
from enrichment.sources.countries import code_of, name_of
from enrichment.sources.reading import (
    Json,
    Told,
    compact,
    date,
    genres,
    isrc,
    many,
    milliseconds,
    one,
    people,
    text,
    texts,
    whole,
)

SURE = {
    "": 0.9,
    "musicbrainz_id": 0.98,
    "musicbrainz_release_id": 0.95,
    "musicbrainz_release_group_id": 0.98,
    "isrc": 0.9,  # curated, but often one of several
    "release_date": 0.95,  # the first release of the recording, which nobody else knows
    "country": 0.95,
    "country_code": 0.95,
    "cover_art_url": 0.9,
    "genres": 0.9,
}
_TAGS = 0.4
"""Tags are anybody's words, "finland" among them; they count only where a server is too old to tell genres."""
_ONE_OF_SEVERAL = 0.8
NO_LABEL = "[no label]"
"""MusicBrainz' label of those that are on none."""


def nearest_name(name: str, artist: Json) -> str:
    """The artist's name, or the alias that is nearer to the one asked about."""
    names = [text(artist.get("name")), *(text(alias.get("name")) for alias in many(artist.get("aliases")))]
    return max(names, key=lambda candidate: same_artist(name, candidate))


def credit_of(entity: Json) -> str:
    """The artist credit as it is printed."""
    return "".join(_credited(row) + _join(row) for row in many(entity.get("artist-credit")))


def _credited(credit: Json) -> str:
    return text(credit.get("name")) or text(one(credit.get("artist")).get("name"))


def _join(credit: Json) -> str:
    """What joins a name to the next one, with its spaces."""
    return str(credit.get("joinphrase") or "")


def side_of(recording: Json) -> Side:
    """The recording as the matcher compares it."""
    releases = many(recording.get("releases"))
    return Side(
        artist=credit_of(recording),
        title=_versioned(text(recording.get("title")), text(recording.get("disambiguation"))),
        album=text(releases[0].get("title")) if releases else "",
        duration_ms=milliseconds(recording.get("length")),
        isrc=tuple(codes_of(recording)),
    )


def _versioned(title: str, remark: str) -> str:
    """The title with the version that only the disambiguation tells: a concert's recordings bear the songs' names."""
    told = f"{title} ({remark})"
    return told if remark and split_title(told).version != split_title(title).version else title


def codes_of(recording: Json) -> list[str]:
    """The ISRCs of a recording; old servers' searches tell them as objects."""
    told = recording.get("isrcs")
    rows = [row.get("id") if isinstance(row, dict) else row for row in told] if isinstance(told, list) else texts(told)
    return [code for code in dict.fromkeys(map(isrc, rows)) if code]


def tell_recording(told: Told, recording: Json) -> None:
    """All but its genres. Raises KeyError for one without an id, as do the others."""
    credited = many(recording.get("artist-credit"))
    codes = codes_of(recording)
    known = isrc(told.keys.get("isrc"))
    told.tell(
        musicbrainz_id=recording["id"],
        title=recording.get("title"),
        artist_name=credit_of(recording),
        artists=people((_credited(row), _join(row)) for row in credited),
        duration_ms=milliseconds(recording.get("length")),
        isrc=known if known in codes else next(iter(codes), None),
        release_date=date(recording.get("first-release-date")),
    )
    _tell_links(told, recording)
    releases = many(recording.get("releases"))
    told.tell(release_date=min(filter(None, map(_released, releases)), default=None), factor=0.8)
    _tell_performer(told, credited)
    _tell_album(told, releases)


def _tell_album(told: Told, releases: Sequence[Json]) -> None:
    """The release that is the subject's album, or else the one that most people mean."""
    ours = [release for release in releases if told.on_album(text(release.get("title")))]
    if not releases:
        return
    release = min(ours or releases, key=obscurity)
    told.tell(album_title=release.get("title"))
    if ours:
        _tell_release_names(told, Kind.ALBUM, release)
        told.tell(Kind.ALBUM, genres=_voted("genres", release, one(release.get("release-group"))))


def obscurity(release: Json) -> tuple[bool, bool, bool, str]:
    """Orders releases: official albums first, the earliest of them first."""
    group = one(release.get("release-group"))
    return (
        text(release.get("status")) not in ("Official", ""),
        bool(group.get("secondary-types")),
        text(group.get("primary-type")) not in ("Album", ""),
        _released(release) or "9999",
    )


def _tell_release_names(told: Told, about: Kind | None, release: Json) -> None:
    group = one(release.get("release-group"))
    told.tell(
        about,
        title=release.get("title"),
        artist_name=credit_of(release),
        musicbrainz_release_id=release["id"],
        musicbrainz_release_group_id=group.get("id"),
        release_date=date(group.get("first-release-date")) or _released(release),
        barcode=release.get("barcode"),
    )


def _released(release: Json) -> str | None:
    """The day of its first event; servers of some years ago say it only there."""
    events = (date(event.get("date")) for event in many(release.get("release-events")))
    return date(release.get("date")) or min(filter(None, events), default=None)


def tell_linked_release(told: Told, release: Json) -> None:
    """A release on the other side of a link, which tells little of it."""
    _tell_release_names(told, None, release)
    _tell_links(told, release)


def tell_release(told: Told, release: Json, covers: str) -> None:
    """All but its genres. covers: the base URL of the archive, which has a front cover where the release says so."""
    _tell_release_names(told, None, release)
    mbid = text(release["id"])
    labels = [text(one(info.get("label")).get("name")) for info in many(release.get("label-info"))]
    front = is_true(one(release.get("cover-art-archive")).get("front"))
    told.tell(
        label=next((label for label in labels if label and label != NO_LABEL), None),
        cover_art_url=f"{covers}/release/{mbid}/front-500" if front else None,
        tracklist=_tracklist(many(release.get("media"))),
    )
    _tell_links(told, release)
    _tell_performer(told, many(release.get("artist-credit")))


def tell_release_group(told: Told, group: Json) -> None:
    """All but its genres, with the release of it that most people mean."""
    told.tell(
        title=group.get("title"),
        artist_name=credit_of(group),
        musicbrainz_release_group_id=group["id"],
        release_date=date(group.get("first-release-date")),
    )
    releases = [row for row in many(group.get("releases")) if text(row.get("id"))]
    if releases:
        told.tell(musicbrainz_release_id=min(releases, key=obscurity)["id"], factor=_ONE_OF_SEVERAL)
    _tell_links(told, group)
    _tell_performer(told, many(group.get("artist-credit")))


def _tracklist(media: Iterable[Json]) -> list[Json]:
    """The tracks of all media, counted through; videos and the like come after a medium's own."""
    tracks = [track for medium in media for name in ("tracks", "data-tracks") for track in many(medium.get(name))]
    rows = [(track, one(track.get("recording"))) for track in tracks]
    return [
        compact(
            {
                "position": position,
                "title": text(track.get("title")) or text(recording.get("title")),
                "duration_ms": milliseconds(track.get("length")) or milliseconds(recording.get("length")),
                "isrc": next(iter(codes_of(recording)), None),
                "musicbrainz_id": text(recording.get("id")),
            }
        )
        for position, (track, recording) in enumerate(rows, start=1)
    ]


def tell_artist(told: Told, artist: Json) -> None:
    """All but the genres."""
    area = one(artist.get("area"))
    codes = [*texts(area.get("iso-3166-1-codes")), *(region[:2] for region in texts(area.get("iso-3166-2-codes")))]
    code = text(artist.get("country")) or next(iter(codes), "")
    code = code if name_of(code) else code_of(text(area.get("name")))
    # The area may be a city; its country then stands only in the code.
    country = text(area.get("name")) if code_of(text(area.get("name"))) == code else name_of(code)
    told.tell(
        musicbrainz_id=artist["id"],
        name=artist.get("name"),
        country=country if code else None,
        country_code=code,
        aliases=_aliases(artist),
    )
    _tell_links(told, artist)


def _aliases(artist: Json) -> list[str]:
    """Other names; a search hint is a misspelling that somebody may type."""
    names = (text(alias.get("name")) for alias in many(artist.get("aliases")) if alias.get("type") != "Search hint")
    return [name for name in dict.fromkeys(names) if name and name != artist.get("name")]


TELL: dict[Kind, Callable[[Told, Json], None]] = {
    Kind.TRACK: tell_recording,
    Kind.PERFORMER: tell_artist,
    Kind.ALBUM: tell_linked_release,
}


def _tell_performer(told: Told, credited: Sequence[Json]) -> None:
    """The performer is the first one credited, where that is the one that was asked about."""
    if credited and told.by_performer(_credited(credited[0])):
        artist = one(credited[0].get("artist"))
        told.tell(
            Kind.PERFORMER,
            musicbrainz_id=artist.get("id"),
            name=_credited(credited[0]),
            aliases=_aliases(artist),
            genres=_voted("genres", artist),
        )


def tell_genres(told: Told, *entities: Json) -> None:
    """The subject's genres, the most voted first; its tags where the server is too old to tell genres."""
    if any("genres" in entity for entity in entities):
        told.tell(genres=_voted("genres", *entities))
    else:
        told.tell(genres=_voted("tags", *entities), factor=_TAGS)


def _voted(what: str, *entities: Json) -> list[str]:
    rows = [row for entity in entities for row in many(entity.get(what)) if whole(row.get("count", 1)) > 0]
    names = [row.get("name") for row in sorted(rows, key=lambda row: -whole(row.get("count")))]
    return genres(names, tags=what == "tags")


def is_true(value: Any) -> bool:
    """JSON has booleans, XML has words."""
    return value is True or value == "true"


def _tell_links(told: Told, entity: Json) -> None:
    """What the entity's links lead to, and the identifiers in them."""
    current = [row for row in many(entity.get("relations")) if not is_true(row.get("ended"))]
    pairs = [(text(one(row.get("url")).get("resource")), text(row.get("type"))) for row in current]
    told.tell(external_urls=links.by_kind(pairs), **links.ids_in(told.kind, (url for url, _ in pairs)))
