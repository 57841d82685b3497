"""Artists for a warehouse: enriched in bulk, landed in a file, ingested into tables that reports are made of.

An artist is a performer. Its `artistId` is the producer's own id, else ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from enrichment.domain.planning import Situation, plan
from enrichment.domain.subjects import Kind, Lane, Status
from enrichment.reservoir import batches
from enrichment.reservoir import warehouse as rows
from enrichment.reservoir.backfill import NOBODY
from enrichment.reservoir.batches import Item
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Wish
from enrichment.reservoir.warehouse import NEW_DAYS, STALE_DAYS, Choice
from enrichment.services import landing
from enrichment.services.backfill import CHUNK, PRIORITY, want
from enrichment.services.fleet import Fleet
from enrichment.services.jobs import Cursor, Job, Step, count
from enrichment.services.landing import File, Unusable
from enrichment.services.progress import database_now
from enrichment.services.requests import BadRequest, Id, Name

KIND = "artist_enrichment"
"""Of its landing files."""
FIELDS = frozenset({"genres", "popularity", "followers", "image_url", "external_urls"})
"""What a warehouse wants of an artist."""
MODES: Mapping[str, Choice] = {
    "backfill": Choice(),
    "incremental": Choice(new_days=NEW_DAYS),
}
"""backfill: whoever is not in the warehouse yet. incremental: of these, who came in the last 7 days."""
ROWS = 1_000
MOST_BAD = 1_000
"""Rows that are named when they cannot be taken."""
MOST_SHOWN = 100
RUN_DAYS = 7


# --- enriching -----------------------------------------------------------------------------------------------------


def preview(fleet: Fleet, choice: Choice, most: int = 10) -> dict[str, Any]:
    """Who would be enriched, without asking anybody: `artist_count`, the `first` of them (`artist_id`, `artist`), and
    the `estimate`.
    """
    counted = in_transaction(fleet.engine, partial(rows.count_chosen, choice=choice))
    first = in_transaction(fleet.engine, partial(rows.first_chosen, choice=choice, most=most))
    return {"artist_count": sum(counted.values()), "first": first, "estimate": estimate(fleet, counted)}


def estimate(fleet: Fleet, artists: Mapping[frozenset[str], int]) -> dict[str, Any]:
    """What it takes if every answer holds all that it can: `calls` by source, and `seconds` until the last of them, at
    the rates and day quotas permitted. artists: how many, by the identifiers that are known of them.
    """
    lookups: dict[tuple[str, str, int], int] = {}
    for known, number in artists.items():
        for source, question, batch in _way(fleet, known | {"name"}):
            lookups[source, question, batch] = lookups.get((source, question, batch), 0) + number
    calls: dict[str, int] = {}
    for (source, _, batch), number in lookups.items():
        calls[source] = calls.get(source, 0) + math.ceil(number / batch)
    seconds = max((number / _rate(fleet, source) for source, number in calls.items()), default=0.0)
    return {"calls": calls, "seconds": round(seconds, 1)}


def _way(fleet: Fleet, known: frozenset[str]) -> Iterator[tuple[str, str, int]]:
    """The questions asked about an artist, one after the other: source, name, how many share a call."""
    steps, satisfied, spent = fleet.steps.of(Kind.PERFORMER), frozenset[str](), frozenset[Any]()
    while planned := plan(
        steps, Situation(Kind.PERFORMER, Lane.LOW_PRIORITY, known, satisfied, FIELDS, spent=spent)
    ).steps:
        for step in planned:
            yield step.source, step.question.name, step.question.batch
            known, satisfied, spent = known | step.gives, satisfied | step.gives, spent | {step}


def _rate(fleet: Fleet, source: str) -> float:
    """Calls per second, over days."""
    budget = fleet.limiter.budget(source)
    return budget.rate if budget.per_day is None else min(budget.rate, budget.per_day / 86_400)


def enriching(choice: Choice) -> Job:
    """Asks for these artists and waits until all have ended. counts: `artists`."""

    def step(fleet: Fleet, cursor: Cursor) -> Step:
        batch = UUID(cursor.setdefault("batch", str(uuid4())))
        if not cursor.get("all_asked"):
            _ask_next(fleet, choice, cursor, batch)
            return Step.MORE
        position = cursor.get("ended", 0)
        first = in_transaction(fleet.engine, partial(rows.first_open, batch=batch, position=position))
        if first is not None:
            cursor["ended"] = first
            return Step.WAITS
        return Step.DONE

    return step


def _ask_next(fleet: Fleet, choice: Choice, cursor: Cursor, batch: UUID) -> None:
    after, place = UUID(cursor.get("after", str(NOBODY))), cursor.get("counts", {}).get("artists", 0)

    def work(connection: Connection) -> list[UUID]:
        found = rows.chosen(connection, choice, after, CHUNK)
        forced_at = database_now(connection) if choice.force else None
        wanted = tuple(sorted(FIELDS))
        want(connection, found, [Wish(f.ref, wanted, PRIORITY, forced_at, batch_id=batch) for f in found])
        items = [Item(place + number, each.ref) for number, each in enumerate(found)]
        batches.add(connection, batch, "artists", items)
        return [each.ref.id for each in found]

    ids = in_transaction(fleet.engine, work)
    count(cursor, "artists", len(ids))
    cursor["all_asked"] = len(ids) < CHUNK
    if ids:
        cursor["after"] = str(ids[-1])


# --- landing -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Landed:
    """What was landed. file: None where there was nothing to land. failed: `artist_id`, `artist`, `reason`."""

    file: str | None = None
    artists: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)


def land(fleet: Fleet, cursor: Cursor, folder: str, form: str = "jsonl") -> Landed:
    """The artists of a job that has ended, in a new file of this folder or URL. Raises Unusable."""
    landed = Landed()
    now = in_transaction(fleet.engine, database_now)
    landed.file = landing.land(folder, KIND, _rows(fleet, UUID(cursor["batch"]), landed), now, form=form)
    return landed


def _rows(fleet: Fleet, batch: UUID, landed: Landed) -> Iterator[dict[str, Any]]:
    position = 0
    while True:
        work = partial(rows.come_of, batch=batch, position=position, most=ROWS)
        come = in_transaction(fleet.engine, work)
        for row in come:
            if row.status == Status.FAILED:
                landed.failed.append({"artist_id": row.artist_id, "artist": row.name, "reason": row.error_message})
            else:
                landed.artists += 1
                yield _row(row)
        if len(come) < ROWS:
            return
        position = come[-1].position + 1


def _row(row: Any) -> dict[str, Any]:
    images = row.images or ([{"url": row.image_url}] if row.image_url else [])
    return {
        "artistId": row.artist_id,
        "artistName": row.name,
        "genres": row.genres or [],
        "popularity": row.popularity,
        "followerCount": row.followers,
        "images": [{name: image.get(name) for name in ("url", "height", "width")} for image in images],
        "externalUrls": row.external_urls or {},
        "enrichedAt": row.finished_at.astimezone(UTC).isoformat(),
    }


# --- ingesting -----------------------------------------------------------------------------------------------------


def _or_nothing(empty: Callable[[], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: empty() if value is None else value)


class Image(BaseModel):
    """A picture; sizes are pixels."""

    url: str = Field(min_length=1, max_length=2000)
    height: int | None = Field(default=None, ge=0, lt=2**31)
    width: int | None = Field(default=None, ge=0, lt=2**31)


class Artist(BaseModel):
    """A row of a landing file. What it says besides is not read."""

    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)

    artistId: Id  # noqa: N815 - the file's name for it
    artistName: Name  # noqa: N815 - the file's name for it
    genres: Annotated[list[str], _or_nothing(list)] = Field(default_factory=list)
    popularity: int | None = Field(default=None, ge=0, le=100)
    followerCount: int | None = Field(default=None, ge=0, lt=2**63)  # noqa: N815 - the file's name for it
    images: Annotated[list[Image], _or_nothing(list)] = Field(default_factory=list)
    externalUrls: Annotated[dict[str, str], _or_nothing(dict)] = Field(default_factory=dict)  # noqa: N815 - the same
    enrichedAt: AwareDatetime  # noqa: N815 - the file's name for it

    def columns(self, line: int) -> dict[str, Any]:
        """As the tables have it."""
        images = sorted(self.images, key=lambda image: -(image.width or 0))
        return {
            "line": line,
            "own_id": _own_id(self.artistId),
            "artist_id": self.artistId,
            "artist_name": self.artistName,
            "genres": list(dict.fromkeys(self.genres)),
            "popularity": self.popularity,
            "follower_count": self.followerCount,
            "images": [image.model_dump() for image in images],
            "external_urls": self.externalUrls,
            "enriched_at": self.enrichedAt.isoformat(),
        }


def _own_id(given: str) -> str | None:
    with suppress(ValueError):
        return str(UUID(given))
    return None


def read_artist(given: Any, latest: datetime) -> Artist:
    """A row as it stands in a file. latest: beyond it a moment lies in the future. Raises BadRequest."""
    if not isinstance(given, dict):
        raise BadRequest("not a JSON object")
    try:
        artist = Artist.model_validate(given)
        artist.model_dump_json().encode()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise BadRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise BadRequest(f"holds text that is no Unicode ({error})") from error
    if "\\u0000" in artist.model_dump_json():
        raise BadRequest("holds a NUL, which PostgreSQL cannot keep")
    if artist.enrichedAt > latest:
        raise BadRequest("enrichedAt: lies in the future")
    return artist


@dataclass(slots=True)
class Ingested:
    """What came of a file. moved_to: where it is now, None where it stayed. artists: of how many it has the latest row.

    bad: (line, why), the first of those rows; bad_count: how many there are.
    """

    file: str
    rows: int = 0
    artists: int = 0
    moved_to: str | None = None
    bad: list[tuple[int, str]] = field(default_factory=list)
    bad_count: int = 0

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "file": self.file,
            "rows": self.rows,
            "artists": self.artists,
            "moved_to": self.moved_to,
            "bad_count": self.bad_count,
            "bad": [{"line": line, "error": error} for line, error in self.bad],
        }


def ingest(fleet: Fleet, path: str, kinds: Sequence[str] = (KIND,), *, dry_run: bool = False) -> list[Ingested]:
    """Takes in a landing file, or all of a folder, the oldest first; of each artist the latest row counts. Bad rows are
    told, the others go on. A file of which anything was taken is moved; twice is once.

    Raises Unusable.
    """
    found = landing.files(path, kinds)
    if any(not file.kind for file in found):
        raise Unusable(
            f"{path}: the name tells no kind; it must end in {' or '.join(f'_{kind}.jsonl' for kind in kinds)}"
        )
    done = [_ingest_file(fleet, file, dry_run=dry_run) for file in found]
    if done and not dry_run:
        in_transaction(fleet.engine, rows.analyze)
    return done


def _ingest_file(fleet: Fleet, file: File, *, dry_run: bool) -> Ingested:
    done = Ingested(file.shown)
    chunk: list[dict[str, Any]] = []
    for artist in _artists(fleet, file, done):
        chunk.append(artist)
        if len(chunk) == ROWS:
            done.artists += _keep(fleet, file, chunk, dry_run=dry_run)
            chunk = []
    done.artists += _keep(fleet, file, chunk, dry_run=dry_run)
    if done.rows and not dry_run:
        done.moved_to = file.move_ingested()
    return done


def _artists(fleet: Fleet, file: File, done: Ingested) -> Iterator[dict[str, Any]]:
    latest = in_transaction(fleet.engine, database_now) + timedelta(days=1)
    for line, given in file.rows():
        try:
            columns = read_artist(given, latest).columns(line)
        except BadRequest as error:
            done.bad_count += 1
            if len(done.bad) < MOST_BAD:
                done.bad.append((line, str(error)))
        else:
            done.rows += 1
            yield columns


def _keep(fleet: Fleet, file: File, chunk: list[dict[str, Any]], *, dry_run: bool) -> int:
    if dry_run or not chunk:
        return len({row["artist_id"] for row in chunk})
    return in_transaction(fleet.engine, partial(rows.ingest, file=file.name, rows=chunk))


# --- every week ----------------------------------------------------------------------------------------------------


def weekly(folder: str) -> Job:
    """Enrich → land → ingest → refresh, for whoever is not in the warehouse or stale there. counts: `artists`, `failed`
    (whom nobody knew), `ingested`.
    """
    enrich = enriching(Choice(stale=True))

    def step(fleet: Fleet, cursor: Cursor) -> Step:
        if not cursor.get("enriched"):
            stood = enrich(fleet, cursor)
            cursor["enriched"] = stood is Step.DONE
            return Step.WAITS if stood is Step.WAITS else Step.MORE
        # In one step, since another process may not see this one's folder.
        landed = land(fleet, cursor, folder)
        count(cursor, "failed", len(landed.failed))
        if landed.file is not None:
            cursor["file"] = landed.file
            (come,) = ingest(fleet, landed.file)
            if come.bad_count:
                raise ValueError(f"{landed.file}: line {come.bad[0][0]}: {come.bad[0][1]}")
            cursor.pop("file")
            count(cursor, "ingested", come.rows)
        return Step.DONE

    return step


def remove_landed(cursor: Cursor) -> None:
    """What a failed run has landed and not ingested is not left behind."""
    if "file" in cursor:
        landing.remove(cursor["file"])


# --- reports -------------------------------------------------------------------------------------------------------


def coverage(fleet: Fleet) -> dict[str, Any]:
    """`artist_count`, `enriched_artist_count`, `unenriched_artist_count`, `pct_missing`."""
    (row,) = _report(fleet, "coverage")
    return row


def staleness(fleet: Fleet, days: int = STALE_DAYS, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """The longest ago first: `artist_id`, `artist`, `enriched_at`, `days_since_enrichment`."""
    return _report(fleet, "staleness", days=days, most=most)


def runs(fleet: Fleet, days: int = RUN_DAYS) -> list[dict[str, Any]]:
    """By day, the latest first: `enrichment_date`, `artist_count`, `artists_with_genres`, `avg_popularity`,
    `avg_followers`.
    """
    return _report(fleet, "runs", days=days, most=days + 1)


def genres(fleet: Fleet, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """The genres with most artists: `genre`, `artist_count`."""
    return _report(fleet, "genres", most=most)


def artists_of(fleet: Fleet, genre: str, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """Artists of a genre, those with most followers first, as `dim_artists` has them."""
    return _report(fleet, "genre", genre=genre.strip().lower(), most=most)


def with_images(fleet: Fleet, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """Artists that have pictures, those with most followers first, as `dim_artists` has them."""
    return _report(fleet, "images", most=most)


def failed(fleet: Fleet, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """Performers that could not be enriched: `artist_id`, `artist`, `reason`, `is_retriable`, `finished_at`."""
    return _report(fleet, "failed", most=most)


def _report(fleet: Fleet, name: str, **values: Any) -> list[dict[str, Any]]:
    return in_transaction(fleet.engine, partial(rows.report, name=name, values=values))
