"""Rows of ListenBrainz' metadata cache: what it copied from MusicBrainz about a recording, an artist, a release group.

A row is an object of parts (`recording`, `artist`, `release`, `tag` …), of which any may be absent. Facts:
metabrainz/listenbrainz-server, mbid_mapping/mapping/mb_metadata_cache.py.
"""

from __future__ import annotations

from typing import Any

from enrichment.domain.questions import Keys
from enrichment.domain.subjects import Kind
from enrichment.sources import links
from enrichment.sources.countries import code_of
from enrichment.sources.reading import (
    Json,
    Told,
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


def tell_recording(told: Told, facts: Json, covers: str) -> None:
    """Tell everything in a recording's row. covers: base URL of the Cover Art Archive."""
    recording, artist, tags = one(facts.get("recording")), one(facts.get("artist")), one(facts.get("tag"))
    credited = many(artist.get("artists"))
    urls = _urls(recording.get("url_rels"))
    told.tell(
        title=recording.get("name"),
        artist_name=artist.get("name"),
        artists=people((text(row.get("name")), text(row.get("join_phrase"))) for row in credited),
        duration_ms=milliseconds(recording.get("length")),
        isrc=_isrc_of(recording, told.keys),
        release_date=date(recording.get("first_release_date")),
        genres=_genres(tags.get("recording")) or _genres(tags.get("release_group")),
        external_urls=links.by_kind((url, "") for url in urls),
        **links.ids_in(Kind.TRACK, urls),
    )
    if told.by_performer(_lead(artist)):
        tell_artist(told, Kind.PERFORMER, credited[0], tags)
    release = one(facts.get("release"))
    title = text(release.get("name"))
    told.tell(album_title=title)
    if told.on_album(title):
        told.tell(
            Kind.ALBUM,
            title=title,
            artist_name=release.get("album_artist_name"),
            musicbrainz_release_id=release.get("mbid"),
            musicbrainz_release_group_id=release.get("release_group_mbid"),
            cover_art_url=_cover(release, covers),
            release_date=date(release.get("year")),
            genres=_genres(tags.get("release_group")),
        )


def tell_artist(told: Told, about: Kind | None, artist: Json, tags: Json) -> None:
    """Tell an artist's row, about the subject itself (None) or its performer. tags: of all the artists credited."""
    area = text(artist.get("area"))
    code = code_of(area)
    relations = {text(kind): text(url) for kind, url in one(artist.get("rels")).items() if text(url)}
    mbid = text(artist.get("artist_mbid"))
    told.tell(
        about,
        musicbrainz_id=mbid,
        name=artist.get("name"),
        country=area if code else None,
        country_code=code,
        genres=_genres([tag for tag in many(tags.get("artist")) if tag.get("artist_mbid") in (None, mbid)]),
        external_urls=links.by_kind((url, kind) for kind, url in relations.items()),
        **links.ids_in(Kind.PERFORMER, relations.values()),
    )


def tell_release_group(told: Told, mbid: str, facts: Json, covers: str) -> None:
    """Tell a release group's row, and that of its artist."""
    group, artist, tags = one(facts.get("release_group")), one(facts.get("artist")), one(facts.get("tag"))
    credited = many(artist.get("artists"))
    told.tell(
        title=group.get("name"),
        artist_name=artist.get("name"),
        musicbrainz_release_group_id=mbid,
        release_date=date(group.get("date")),
        cover_art_url=_cover(group, covers) or _cover(one(facts.get("release")), covers),
        genres=_genres(tags.get("release_group")),
    )
    if told.by_performer(_lead(artist)):
        tell_artist(told, Kind.PERFORMER, credited[0], tags)


def _urls(relations: Any) -> list[str]:
    """The addresses of a recording's links, which come as `{"type", "url"}`; once they were addresses alone."""
    return [text(row.get("url")) for row in many(relations)] or texts(relations)


def _lead(artist: Json) -> str:
    """The name of the first one credited. Old rows name only the credit as a whole, which may be several people."""
    credited = many(artist.get("artists"))
    if not credited:
        return ""
    return text(credited[0].get("name")) or (text(artist.get("name")) if len(credited) == 1 else "")


def _isrc_of(recording: Json, keys: Keys) -> str | None:
    """The ISRC that is known already, where the recording has it, else its first."""
    codes = [code for code in map(isrc, texts(recording.get("isrcs"))) if code]
    known = isrc(keys.get("isrc"))
    return known if known in codes else next(iter(codes), None)


def _genres(tags: Any) -> list[str]:
    """Those of the tags that MusicBrainz counts among its genres, the most voted first."""
    kept = [tag for tag in many(tags) if text(tag.get("genre_mbid"))]
    return genres(tag.get("tag") for tag in sorted(kept, key=lambda tag: -whole(tag.get("count"))))


def _cover(release: Json, covers: str) -> str | None:
    """A picture's address by the Cover Art Archive's ids: no call is needed for it."""
    mbid, number = text(release.get("caa_release_mbid")), text(release.get("caa_id"))
    return f"{covers}/release/{mbid}/{number}-500.jpg" if mbid and number else None
