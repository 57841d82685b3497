"""Listens: taken in, linked to what they are of, shown, and the covers that people choose for them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from enrichment.domain.subjects import Kind
from enrichment.reservoir import listens as rows
from enrichment.reservoir.identities import Identity, resolve
from enrichment.reservoir.listens import NewListen, Play
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services import artwork
from enrichment.services.fleet import Fleet
from enrichment.services.listen_shapes import Listen, read_listen
from enrichment.services.outlook import Outlook
from enrichment.services.progress import LIVE_PLAY
from enrichment.services.requests import BadRequest, Name, TrackRequest, Unknown, Url, read
from enrichment.services.submit import submit_all

IMPORTED = 2
CHUNK = 2000
"""Listens of which it is asked at once which are there already."""
LIVE = timedelta(minutes=15)
"""What was played so recently counts as live where nobody says whether it is."""


@dataclass(slots=True)
class Taken:
    """What came of listens. ids: of all that were taken, in their order. new: how many of them were not there before.

    playing: how many are still being heard. rejected: (line, or position from 1, and why) of what could not be read.
    """

    ids: list[uuid.UUID] = field(default_factory=list)
    new: int = 0
    playing: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """`listens` (the new ones), `known`, `now_playing`, `rejected` [{`line`, `error`}]."""
        return {
            "listens": self.new,
            "known": len(self.ids) - self.new,
            "now_playing": self.playing,
            "rejected": [{"line": line, "error": error} for line, error in self.rejected],
        }


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose listens they are, and where they came from. live: were they told while they were heard; None where their
    moments tell. priority: of the enrichment of those that were not.
    """

    user: str
    origin: str
    live: bool | None = False
    priority: int = IMPORTED

    def heard_live(self, listen: Listen, now: datetime) -> bool:
        """May somebody be looking at it now?"""
        return listen.listened_at >= now - LIVE if self.live is None else self.live


def take_listens(fleet: Fleet, whose: Whose, given: Iterable[tuple[int, Any]], taken: Taken | None = None) -> Taken:
    """A user's listens by line or position, in any of the shapes of `listen_shapes`; a text is what is wrong with it.

    When this returns they are linked to track, performer and album, and their tracks are wanted: of live ones at
    priority 6. Listens that are there already change nothing. What cannot be read is told, the others go on.
    taken: to be added to.
    """
    taken = taken or Taken()
    now = datetime.now(UTC)
    ahead = _readable(given, now, taken)
    while chunk := list(islice(ahead, CHUNK)):
        _take_chunk(fleet, whose, chunk, now, taken)
    return taken


def _take_chunk(fleet: Fleet, whose: Whose, chunk: Sequence[Listen], now: datetime, taken: Taken) -> None:
    plays = {each.play: each for each in chunk}
    ids = in_transaction(fleet.engine, lambda connection: rows.known(connection, whose.user, plays))
    new = [listen for play, listen in plays.items() if play not in ids]
    for live, priority in ((True, LIVE_PLAY), (False, whose.priority)):
        some = [listen for listen in new if whose.heard_live(listen, now) is live]
        added = _take(fleet, replace(whose, live=live, priority=priority), some)
        taken.new += len(added)
        ids |= added
    taken.ids += [ids[play] for play in plays if play in ids]


def _readable(given: Iterable[tuple[int, Any]], now: datetime, taken: Taken) -> Iterator[Listen]:
    for line, each in given:
        try:
            listen = read_listen(each, now)
        except BadRequest as error:
            taken.rejected.append((line, str(error)))
            continue
        if listen is not None:
            yield listen
        else:
            taken.playing += 1


def _take(fleet: Fleet, whose: Whose, listens: Sequence[Listen]) -> dict[Play, uuid.UUID]:
    added: dict[int, dict[Play, uuid.UUID]] = {}

    def keep(connection: Connection, start: int, refs: Sequence[Ref | None]) -> None:
        added[start] = _keep(connection, whose, listens[start : start + len(refs)], refs)

    submit_all(fleet, [listen.request(whose.priority) for listen in listens], within=keep)
    return {play: id_ for kept in added.values() for play, id_ in kept.items()}


def _keep(
    connection: Connection, whose: Whose, listens: Sequence[Listen], tracks: Sequence[Ref | None]
) -> dict[Play, uuid.UUID]:
    albums = _albums(connection, [(listen.artist_name, listen.album_name) for listen in listens])
    new = [
        NewListen(
            uuid.uuid4(),
            whose.user,
            listen.listened_at,
            listen.artist_name,
            listen.track_name,
            listen.album_name,
            track.id,
            album,
            listen.artwork_url,
            whose.origin,
            bool(whose.live),
        )
        for listen, track, album in zip(listens, _of_names(tracks), albums, strict=True)
    ]
    added = rows.add(connection, new)
    artwork.want_covers(connection, rows.coverless(connection, added), whose.priority)
    return {listen.play: each.id for listen, each in zip(listens, new, strict=True) if each.id in added}


def _of_names(refs: Sequence[Ref | None]) -> list[Ref]:
    """Names are always known, or become so; only a bare id can be unknown."""
    return [ref for ref in refs if ref is not None]


def _albums(connection: Connection, named: Sequence[tuple[str, str | None]]) -> list[uuid.UUID | None]:
    """The album of each artist and title; the submit has locked its name with the track's."""
    means = [Identity(Kind.ALBUM, name=artist, title=title) if title else None for artist, title in named]
    refs, _ = resolve(connection, found := [each for each in dict.fromkeys(means) if each is not None])
    known = {identity: ref.id for identity, ref in zip(found, refs, strict=True) if ref is not None}
    return [known.get(each) if each is not None else None for each in means]


def enrich_listens(
    fleet: Fleet, ids: Collection[uuid.UUID], priority: int = IMPORTED, *, request_id: str | None = None
) -> int:
    """Asks for the tracks of these listens, grouped by artist, and links those that another program inserted unlinked.

    Returns how many. Unknown ids, and listens whose names say nothing, are left out; twice with one request_id is once.
    """
    found = in_transaction(fleet.engine, lambda connection: rows.of_ids(connection, ids))
    named = [(each, request) for each in found if (request := _request(each, priority)) is not None]

    def link(connection: Connection, start: int, refs: Sequence[Ref | None]) -> None:
        listens = [each for each, _ in named[start : start + len(refs)]]
        unlinked = [(each, ref) for each, ref in zip(listens, refs, strict=True) if ref and not each.track_id]
        albums = _albums(connection, [(each.artist_name, each.album_name) for each, _ in unlinked])
        links = {each.id: (ref.id, album) for (each, ref), album in zip(unlinked, albums, strict=True)}
        rows.link(connection, links)
        artwork.want_covers(connection, rows.coverless(connection, [each.id for each in listens]), priority)

    known_as = [f"{request_id}/{position}" for position in range(len(named))] if request_id else ()
    submit_all(fleet, [request for _, request in named], known_as, within=link)
    return len(named)


def _request(listen: Any, priority: int) -> TrackRequest | None:
    """None for what another program has written and nobody can read."""
    given = {
        "track_id": str(listen.track_id) if listen.track_id else None,
        "artist_name": listen.artist_name,
        "track_title": listen.track_name,
        "album_title": listen.album_name or None,
        "temporary_artwork_url": listen.temporary_artwork_url or None,
        "priority": priority,
    }
    try:
        return read(TrackRequest, given)
    except BadRequest:
        return None


# --- looking ---------------------------------------------------------------------------------------------------------


def listens_of(fleet: Fleet, user: str, before: datetime | None = None, most: int = 100) -> list[dict[str, Any]]:
    """A user's listens before a moment, the newest first, each with the picture to be shown."""
    found = in_transaction(fleet.engine, lambda connection: rows.page(connection, user, before, most))
    return [shown(each) for each in found]


def shown(listen: Any) -> dict[str, Any]:
    """What is known of a listen. artwork_url: the user's own choice, else the cover, else what came with it."""
    told = {name: _plain(value) for name, value in listen._asdict().items()}
    return {name: value for name, value in told.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


def enrichment_status(fleet: Fleet, outlook: Outlook, listen_id: uuid.UUID, user: str | None) -> dict[str, Any]:
    """`status`, `has_artwork`, `estimated_completion` (None where it has ended or nobody can tell) of a listen.

    user: whose it must be, None for anybody's. Raises Unknown.
    """
    listen = _one(fleet, listen_id, user)
    standing = outlook.standing(Kind.TRACK, str(listen.track_id)) if listen.track_id else None
    return {
        "id": str(listen.id),
        "status": (standing and standing["status"]) or listen.metadata_status,
        "has_artwork": listen.artwork_url is not None,
        "artwork_url": listen.artwork_url,
        "estimated_completion": standing["estimated_completion"] if standing else None,
    }


def _one(fleet: Fleet, listen_id: uuid.UUID, user: str | None) -> Any:
    found = in_transaction(fleet.engine, lambda connection: rows.one(connection, listen_id, user))
    if found is None:
        raise Unknown(f"listen {str(listen_id)!r} is not known")
    return found


# --- chosen covers ---------------------------------------------------------------------------------------------------


class Choice(BaseModel):
    """A cover that a person wants to see for an album."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    artist_name: Name
    album_name: Name
    preferred_artwork_url: Url


def prefer_artwork(fleet: Fleet, user: str, choice: Choice) -> int:
    """From now on the user sees this cover for all listens of the album; nothing found replaces it.

    Returns how many listens there are of it.
    """
    return in_transaction(
        fleet.engine,
        lambda connection: rows.prefer(
            connection, user, choice.artist_name, choice.album_name, choice.preferred_artwork_url
        ),
    )


# --- figures ---------------------------------------------------------------------------------------------------------

MINUTE = 60.0
LOOKED_BACK = 3600.0
MOST_PLAYS = 10_000


@dataclass(frozen=True, slots=True)
class ArtworkFigures:
    """Of live plays. first_artwork_seconds: of each play whose cover is known, from its coming to its first cover.

    within_a_minute: the share of plays at least a minute old that had a cover by then; None where there are none.
    """

    first_artwork_seconds: list[float]
    within_a_minute: float | None


def artwork_figures(fleet: Fleet, seconds: float = LOOKED_BACK) -> ArtworkFigures:
    """How fast the live plays of the last `seconds` had a cover, as the rows tell."""
    minute = MINUTE / fleet.speed

    def work(connection: Connection) -> ArtworkFigures:
        took = rows.first_artwork(connection, seconds, minute, MOST_PLAYS)
        in_time = sum(1 for each in took if each is not None and each <= minute)
        share = round(in_time / len(took), 4) if took else None
        return ArtworkFigures([each for each in took if each is not None], share)

    return in_transaction(fleet.engine, work)
