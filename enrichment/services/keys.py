"""Keys of upstreams, as an operator acts on them: stored, listed, tried, sealed anew, removed. Never shown again.

What is stored goes before what the environment says, and reaches every process with the standing of the sources.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from enrichment.domain.outcomes import Verdict
from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import keys as rows
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.services import standing
from enrichment.services.fleet import Fleet
from enrichment.services.requests import BadRequest
from enrichment.services.turns import wait_for_turn
from enrichment.sources.base import Ask, Source
from enrichment.wire.limiter import NotNow

SHOWN, LONG_ENOUGH = 4, 12
"""Characters shown of a key, from the length on at which they give nothing away."""
PATIENCE_SECONDS = 30.0

_PRINTABLE = re.compile(r"[!-~]{1,1000}")

SAMPLE: Mapping[Kind, Mapping[str, str]] = {
    Kind.PERFORMER: {"name": "Portishead"},
    Kind.TRACK: {"artist_name": "Portishead", "title": "Roads"},
    Kind.ALBUM: {"artist_name": "Portishead", "title": "Dummy"},
}
"""What a key is tried with."""


def names(fleet: Fleet) -> dict[str, list[str]]:
    """Every key that a source of this fleet knows, with those sources."""
    found: dict[str, list[str]] = {}
    for source in fleet.sources.values():
        for name in source.secrets:
            found.setdefault(name, []).append(source.name)
    return found


def put(fleet: Fleet, name: str, value: str) -> list[str]:
    """Stores a key; running processes have it within seconds. Returns the sources that it opens.

    Raises BadRequest for a name that no source knows, for what cannot be a key, and where there is no master key.
    """
    sources = _sources(fleet, name)
    value = value.strip()
    if not _PRINTABLE.fullmatch(value):
        raise BadRequest(f"{name}: a key is one word of up to 1000 ASCII characters")
    try:
        sealed = fleet.keys.seal.close(name, value)
    except rows.CannotOpen as error:
        raise BadRequest(str(error)) from error

    def work(connection: Connection) -> None:
        rows.put(connection, name, sealed)
        fleet_rows.probe_again(connection, sources)

    in_transaction(fleet.engine, work)
    fleet.forget()
    return sources


def remove(fleet: Fleet, name: str) -> bool:
    """Forgets a stored key; False where none was stored. Raises BadRequest for a name that no source knows."""
    sources = _sources(fleet, name)

    def work(connection: Connection) -> bool:
        fleet_rows.probe_again(connection, sources)
        return rows.remove(connection, name)

    removed = in_transaction(fleet.engine, work)
    fleet.forget()
    return removed


def _sources(fleet: Fleet, name: str) -> list[str]:
    known = names(fleet)
    if name not in known:
        raise BadRequest(f"no source has a key {name!r}; there are {', '.join(sorted(known))}")
    return known[name]


def listed(fleet: Fleet) -> list[dict[str, Any]]:
    """Every key: `name`, `sources`, `from` ("database", "environment" of this process, or None where it is not set),
    `ending` (the last four characters of a long one), `changed_at`, and `problem` where a stored one cannot be opened.
    """
    with at_once(fleet.engine) as connection:
        stored = rows.stored(connection)
    return [_shown(fleet, name, sources, stored.get(name)) for name, sources in sorted(names(fleet).items())]


def _shown(fleet: Fleet, name: str, sources: Collection[str], stored: rows.Sealed | None) -> dict[str, Any]:
    value, problem = fleet.keys.environment.get(name), None
    if stored is not None:
        try:
            value = fleet.keys.seal.open(name, stored.token)
        except (ValueError, OSError) as error:
            value, problem = None, str(error)
    return {
        "name": name,
        "sources": list(sources),
        "from": "database" if stored is not None else "environment" if value else None,
        "ending": value[-SHOWN:] if value and len(value) >= LONG_ENOUGH else None,
        "changed_at": stored.changed_at if stored is not None else None,
        "problem": problem,
    }


def rotate(fleet: Fleet) -> int:
    """Seals all stored keys with the first master key. Returns how many. Raises BadRequest; then none is."""
    try:
        return in_transaction(fleet.engine, lambda connection: rows.reseal(connection, fleet.keys.seal))
    except rows.CannotOpen as error:
        raise BadRequest(str(error)) from error


@dataclass(frozen=True, slots=True)
class Tried:
    """What a source said to its keys. opens: None where it could not be asked."""

    source: str
    opens: bool | None
    said: str


def test(fleet: Fleet, name: str) -> list[Tried]:
    """One call to each source that has this key, with it and the others it needs, past the cache.

    A refusal does not stop the source here. Raises BadRequest for a name that no source knows, and redis.RedisError.
    """
    fleet.forget()
    fleet.standings()
    return [_try(fleet, fleet.sources[source], name) for source in _sources(fleet, name)]


def _try(fleet: Fleet, source: Source[Any], name: str) -> Tried:
    place = fleet.wire.place(source.name)
    if name not in place.secrets:
        return Tried(source.name, None, f"{name} is not set")
    question = _question(fleet, source, name)
    if question is None:
        lacking = {each for known in source.questions for each in known.requires} - place.secrets.keys()
        return Tried(source.name, None, f"needs {', '.join(sorted(lacking))} too" if lacking else "nothing to ask")
    turn = wait_for_turn(fleet, source.name, PATIENCE_SECONDS)
    if isinstance(turn, NotNow):
        reason = fleet.limiter.now(source.name).reason or "its turns are taken"
        return Tried(source.name, None, f"cannot be called now: {reason}; see `linernotes sources`")
    try:
        asks = [Ask(0, SAMPLE[question.kind])]
        result = fleet.wire.ask(source.name, question, asks, turn, datetime.now(UTC))
    finally:
        fleet.limiter.free(turn)
    verdict, message = result.judgement.verdict, result.judgement.message
    if verdict is Verdict.REFUSED:
        return Tried(source.name, opens=False, said=message)
    standing.learn(fleet, source.name, result)
    return Tried(source.name, verdict is Verdict.ANSWER or None, message or "it has answered")


def _question(fleet: Fleet, source: Source[Any], name: str) -> Question | None:
    """One that needs names alone, preferably one that cannot be asked without this key."""
    fit = [each for each in fleet.questions[source.name] if set(each.needs) <= SAMPLE[each.kind].keys()]
    return max(fit, key=lambda each: name in each.requires, default=None)
