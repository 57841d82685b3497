"""ListenBrainz' labs (labs.api.listenbrainz.org): data sets in batches of 100, without a token.

spotify-id-from-mbid, spotify-id-from-metadata   Spotify's track ids, by names that are equal once normalised
artist-country-code-from-artist-mbid             the ISO code above the artist's area, which may be a city
acr-lookup                                       names -> MusicBrainz ids, as the API's batch lookup has them by token

A query is a POST of a JSON list of objects; of most answers no more than 100 rows come back. What is not known is
left out. Facts: reference, upstreams 1.3; metabrainz/listenbrainz-server, labs_api.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from enrichment.domain.matching import Side
from enrichment.domain.outcomes import Answer
from enrichment.domain.subjects import Kind
from enrichment.sources.base import Ask
from enrichment.sources.countries import name_of
from enrichment.sources.reading import Json, Told, fits, is_mbid, text, texts

MOST = 100
NAMES_ALONE = 0.8
"""How much less sure an id is that was found without MusicBrainz' help."""

_SURE = {
    "": 0.9,
    "spotify_id": 0.8,  # found by names: now and then another version of the recording
}


class Labs(Protocol):
    """Where the data sets are asked."""

    def labs(self, data_set: str, rows: Sequence[Mapping[str, str]]) -> list[Json]:
        """The rows that come back for these."""


def known(asks: Sequence[Ask], key: str) -> list[str]:
    """The MBIDs to ask for, without repeats and without what is none: a malformed one has the whole call refused."""
    return list(dict.fromkeys(text(ask.keys[key]).lower() for ask in asks if is_mbid(ask.keys[key])))


def normal(name: str) -> str:
    """About as ListenBrainz compares names: letters and digits only, without case and diacritics."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[\W_]+", "", "".join(char for char in plain if not unicodedata.combining(char)))


def countries(asks: Sequence[Ask], client: Labs) -> list[Answer]:
    """The artists' countries. An artist whose area is in no country has an empty code."""
    mbids = known(asks, "musicbrainz_id")
    rows = client.labs("artist-country-code-from-artist-mbid", [{"artist_mbid": mbid} for mbid in mbids])
    by_mbid: dict[str, Json] = {}
    for row in rows:
        if name_of(text(row.get("country_code"))):
            by_mbid.setdefault(text(row.get("artist_mbid")).lower(), row)
    answers = []
    for ask in asks:
        mbid = text(ask.keys["musicbrainz_id"]).lower()
        told = Told(Kind.PERFORMER, ask.keys, _SURE, reason=f"artist {mbid}")
        found = by_mbid.get(mbid)
        if found is not None:
            code = text(found["country_code"]).upper()
            told.tell(musicbrainz_id=mbid, name=found.get("artist_name"), country=name_of(code), country_code=code)
        answers.append(told.answer())
    return answers


def spotify_by_mbid(asks: Sequence[Ask], client: Labs) -> list[Answer]:
    """Spotify's ids of recordings. Of two that MusicBrainz merged only one row comes back right, under either's id."""
    mbids = known(asks, "musicbrainz_id")
    rows = client.labs("spotify-id-from-mbid", [{"recording_mbid": mbid} for mbid in mbids])
    by_mbid = {text(row.get("recording_mbid")).lower(): row for row in rows}
    missing = Answer.cut_off() if len(rows) > len(by_mbid) else Answer.nothing()
    return [_of_recording(ask, by_mbid, missing) for ask in asks]


def _of_recording(ask: Ask, by_mbid: Mapping[str, Json], missing: Answer) -> Answer:
    mbid = text(ask.keys["musicbrainz_id"]).lower()
    row = by_mbid.get(mbid)
    if row is None:
        return missing if is_mbid(mbid) else Answer.nothing()
    ids = texts(row.get("spotify_track_ids"))
    side = Side(artist=text(row.get("artist_name")), title=text(row.get("track_name")))
    fitting, score, why = fits(Kind.TRACK, ask.keys, side)
    if not ids or not fitting:
        return Answer.nothing("" if fitting else why)
    told = Told(Kind.TRACK, ask.keys, _SURE, match=score, reason=f"recording {mbid}; {why}")
    told.tell(spotify_id=ids[0], musicbrainz_id=mbid, title=side.title, artist_name=side.artist)
    told.tell(album_title=row.get("release_name"))
    return told.answer()


def spotify_by_names(asks: Sequence[Ask], client: Labs) -> list[Answer]:
    """Spotify's ids by names. Every row comes back, with an empty list where nothing was found."""
    asked = [_names(ask) for ask in asks]
    sent = {_alike(row): row for row in asked if row["artist_name"] and row["track_name"]}
    rows = client.labs("spotify-id-from-metadata", list(sent.values()))
    ids = {_alike(row): texts(row.get("spotify_track_ids")) for row in rows}
    answers = []
    for ask, row in zip(asks, asked, strict=True):
        told = Told(Kind.TRACK, ask.keys, _SURE, reason="names equal once normalised")
        told.tell(factor=NAMES_ALONE, spotify_id=next(iter(ids.get(_alike(row), ())), None))
        answers.append(told.answer())
    return answers


def _names(ask: Ask) -> dict[str, str]:
    named = {"artist_name": "artist_name", "release_name": "album_title", "track_name": "title"}
    return {name: text(ask.keys.get(key)) for name, key in named.items()}


def _alike(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What rows share that are one to the labs; the answers repeat it."""
    return tuple(normal(text(row.get(name))) for name in ("artist_name", "release_name", "track_name"))
