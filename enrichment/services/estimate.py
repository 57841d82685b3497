"""How long a backfill takes, what bounds it, and what it needs: from budgets and from what earlier subjects have taken.

Work is counted in lookups per subject, as this fleet's own last subjects had them, or, where it has too few, as
`measured.json` has them (`linernotes bench estimate` measures them). Lookups become calls by their batches, and calls
seconds by each source's pace, which is the one that statuses use for their estimated completion.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind, Lane, lane_of
from enrichment.reservoir import habits as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.services.fleet import Fleet
from enrichment.services.outlook import Pace, pace_of
from enrichment.services.refill import SHARE_OF_THREADS, SLACK_SECONDS

LOOK = 200_000
"""Of the newest lookups and settles; older ones were asked by other rules."""
ENOUGH = 30
"""Subjects of a role below which those that ship are believed rather than our own."""
DAY_SECONDS = 86_400.0
THREADS = 32
"""Of a worker process."""
STEPS = 4
"""Answers that follow from each other for one subject; at low priority each lookup waits for the one before."""
AHEAD_SECONDS = 11.5
"""A lookup that gathers waits for so long until nothing else is under way, or for as long as it gathers, which may be
less. Measured, as the overlap.
"""
OVERLAP = 0.5
"""Of the shorter of the slowest line and a subject's own waits: the line moves while subjects wait. Measured, in four
mixes of work (docs/benchmarks.md).
"""
MEASURED = Path(__file__).with_name("measured.json")

Role = str
"""A kind, or `track.performer` and `track.album`: what is only asked about on behalf of tracks."""
OF_TRACKS: tuple[Role, ...] = (Kind.TRACK, "track.performer", "track.album")
Name = tuple[str, str]
"""Source and question."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What a subject takes. lookups: per subject, by role and lane. parents: per track, by role and lane.

    together: lookups that share a call. own: roles and lanes of which this fleet has seen enough itself.
    """

    lookups: Mapping[tuple[Role, Lane], Mapping[Name, float]]
    parents: Mapping[tuple[Role, Lane], float]
    together: Mapping[Name, float]
    own: frozenset[tuple[Role, Lane]] = frozenset()

    def shown(self) -> dict[str, Any]:
        """As `measured.json` has them."""
        lanes: dict[str, dict[str, Any]] = defaultdict(lambda: {"parents": {}, "lookups": {}})
        for (role, lane), asked in sorted(self.lookups.items()):
            lanes[lane]["lookups"][role] = {".".join(name): round(share, 4) for name, share in sorted(asked.items())}
        for (role, lane), share in sorted(self.parents.items()):
            lanes[lane]["parents"][role] = round(share, 4)
        shared = {".".join(name): round(many, 2) for name, many in sorted(self.together.items()) if many > 1}
        return {"lanes": lanes, "together": shared}


@cache
def shipped() -> dict[str, Any]:
    """What ships: measured on tracks of a listening log. `cpu_seconds_per_lookup` is of workers and servers."""
    found: dict[str, Any] = json.loads(MEASURED.read_text("utf-8"))
    return found


def shipped_habits() -> Habits:
    """Those of `measured.json`."""
    lookups, parents = {}, {}
    for lane, told in shipped()["lanes"].items():
        for role, asked in told["lookups"].items():
            lookups[role, Lane(lane)] = {_name(given): share for given, share in asked.items()}
        for role, share in told["parents"].items():
            parents[role, Lane(lane)] = share
    return Habits(lookups, parents, {_name(given): many for given, many in shipped()["together"].items()})


def _name(given: str) -> Name:
    source, _, question = given.partition(".")
    return source, question


def own_habits(connection: Connection) -> Habits:
    """Those of this fleet's last subjects, of roles and lanes that it has had any of."""
    subjects, lookups = _summed(rows.ended(connection, LOOK))
    enough = frozenset(
        (role, lane) for role, lane in subjects if subjects.get((role.partition(".")[0], lane), 0) >= ENOUGH
    )
    return Habits(
        {key: {name: n / count for name, (n, _) in lookups[key].items()} for key, count in subjects.items()},
        {
            (role, lane): count / subjects[Kind.TRACK, lane]
            for (role, lane), count in subjects.items()
            if "." in role and (Kind.TRACK, lane) in subjects
        },
        rows.together(connection, LOOK),
        enough,
    )


def _summed(
    found: Iterable[Any],
) -> tuple[dict[tuple[Role, Lane], int], dict[tuple[Role, Lane], dict[Name, tuple[int, int]]]]:
    """Subjects by role and lane, and by question the lookups that have ended and those that are open."""
    subjects: dict[tuple[Role, int], int] = {}
    lookups: dict[tuple[Role, Lane], dict[Name, tuple[int, int]]] = defaultdict(dict)
    for row in found:
        subjects[row.role, row.priority] = row.subjects
        if row.source is None:
            continue
        asked, name = lookups[row.role, lane_of(row.priority)], (row.source, row.question)
        ended, open_ = asked.get(name, (0, 0))
        asked[name] = ended + row.ended, open_ + row.open
    by_lane: dict[tuple[Role, Lane], int] = defaultdict(int)
    for (role, priority), count in subjects.items():
        by_lane[role, lane_of(priority)] += count
    return dict(by_lane), lookups


def habits(connection: Connection) -> Habits:
    """The fleet's own where it has enough of them, else those that ship."""
    own, known = own_habits(connection), shipped_habits()
    return Habits(
        {**known.lookups, **{key: own.lookups[key] for key in own.own}},
        {**known.parents, **{key: share for key, share in own.parents.items() if (Kind.TRACK, key[1]) in own.own}},
        {**known.together, **own.together},
        own.own,
    )


# --- what is to be done ---------------------------------------------------------------------------------------------

Work = dict[Name, float]
"""Lookups."""


def work_of(known: Habits, counts: Mapping[Kind, int], lane: Lane) -> Work:
    """Of so many subjects that nobody has asked about."""
    roles: dict[Role, float] = {str(kind): float(count) for kind, count in counts.items()}
    for (role, on), share in known.parents.items():
        if on is lane:
            roles[role] = share * counts.get(Kind.TRACK, 0)
    work: Work = defaultdict(float)
    for role, count in roles.items():
        for name, share in known.lookups.get((role, lane), {}).items():
            work[name] += count * share
    return work


def work_left(known: Habits, found: Sequence[Any]) -> Work:
    """Of subjects that are open: what they usually take, less what has ended; never less than what is open."""
    subjects, lookups = _summed(found)
    work: Work = defaultdict(float)
    for key, count in subjects.items():
        usual = known.lookups.get(key, {})
        for name in {*usual, *lookups[key]}:
            ended, open_ = lookups[key].get(name, (0, 0))
            work[name] += max(open_, count * usual.get(name, 0.0) - ended)
    return work


# --- how long it takes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be estimated. counts: subjects by kind, None for what is open. cores: that workers and servers have.

    keys: names of the secrets that are set; None for those that are.
    """

    counts: Mapping[Kind, int] | None = None
    priority: int = 3
    keys: frozenset[str] | None = None
    cores: int = 2


def estimate(fleet: Fleet, ask: Ask) -> dict[str, Any]:
    """`subjects` by kind; by source `lookups`, `calls`, `calls_per_second` and `seconds` (None where it is stopped);
    `seconds` all in, and what they are `bounded_by`: a source, or `machine`. Nobody waits for sources that are
    `put_aside`. `database_bytes` that it adds; `threads`, `workers` and `cores` without which it would take longer.
    """
    return in_transaction(fleet.engine, lambda connection: _estimate(fleet, connection, ask))


def _estimate(fleet: Fleet, connection: Connection, ask: Ask) -> dict[str, Any]:
    known = habits(connection)
    if ask.counts is None:
        found = rows.open_(connection)
        subjects, _ = _summed(found)
        work, counts = work_left(known, found), {kind: _of_kind(subjects, kind) for kind in Kind}
        lanes = {lane for _, lane in subjects}
    else:
        lanes = {lane_of(ask.priority)}
        work, counts = work_of(known, ask.counts, lane_of(ask.priority)), dict(ask.counts)
    secrets = ask.keys if ask.keys is not None else frozenset(_set_keys(fleet))
    sources = _by_source(fleet, connection, _askable(fleet, work, secrets), known, ask.keys)
    lookups = sum(each["lookups"] for each in sources.values())
    aside = _put_aside(fleet, connection, sources)
    waited_for = {name: each for name, each in sources.items() if name not in aside}
    slowest, bounded_by = _bound(waited_for, lookups, ask.cores)
    chain = max((_chain(fleet, known, lane) for lane in lanes), default=0.0)
    return {
        "subjects": {str(kind): count for kind, count in counts.items()},
        "measured": "this fleet" if known.own else "shipped",
        "lookups": lookups,
        "calls": sum(each["calls"] for each in sources.values()),
        "seconds": _all_in(slowest, chain),
        "bounded_by": bounded_by,
        "put_aside": aside,
        "sources": sources,
        "database_bytes": round(sum(counts.values()) * _bytes_per_subject(connection)),
        **_needs(fleet, sources, lookups, slowest),
    }


def _of_kind(subjects: Mapping[tuple[Role, Lane], int], kind: Kind) -> int:
    return sum(count for (role, _), count in subjects.items() if role == kind)


def _set_keys(fleet: Fleet) -> Iterable[str]:
    for source in fleet.sources:
        yield from fleet.wire.place(source).secrets


def _askable(fleet: Fleet, work: Work, secrets: Collection[str]) -> dict[Question, tuple[str, float]]:
    found = {}
    for source in fleet.sources.values():
        for question in source.questions:
            lookups = work.get((source.name, question.name), 0.0)
            if lookups and all(secret in secrets for secret in question.requires):
                found[question] = (source.name, lookups)
    return found


def _by_source(
    fleet: Fleet,
    connection: Connection,
    asked: Mapping[Question, tuple[str, float]],
    known: Habits,
    keys: Collection[str] | None,
) -> dict[str, dict[str, Any]]:
    lookups: dict[str, float] = defaultdict(float)
    calls: dict[str, float] = defaultdict(float)
    for question, (source, count) in asked.items():
        lookups[source] += count
        calls[source] += count / _sharing(question, count, known.together.get((source, question.name), 1.0))
    found = {}
    for source in sorted(lookups):
        pace = _pace(fleet, connection, source, keys)
        found[source] = {
            "lookups": math.ceil(lookups[source]),
            "calls": math.ceil(calls[source]),
            "calls_per_second": round(pace.rate, 4) if pace and math.isfinite(pace.rate) else None,
            "seconds": _seconds(fleet, source, pace, calls[source]),
        }
    return found


def _sharing(question: Question, lookups: float, usual: float) -> float:
    """Lookups per call: a line that is long enough to matter fills its batches, but for those of one artist."""
    if question.batch_by({"artist_name": "somebody", "name": "somebody"}):
        return max(1.0, min(usual, question.batch))
    return max(1.0, min(question.batch, lookups))


def _pace(fleet: Fleet, connection: Connection, source: str, keys: Collection[str] | None) -> Pace | None:
    """As it is now; with other keys than there are, by the budget that its source declares for them."""
    pace = pace_of(fleet, connection, source)
    if pace is None or keys is None:
        return pace
    budget = fleet.sources[source].budget_with(dict.fromkeys(keys, "set"))
    return replace(pace, rate=budget.faster(fleet.speed).rate)


def _seconds(fleet: Fleet, source: str, pace: Pace | None, calls: float) -> float | None:
    if pace is None:
        return None
    per_day = fleet.limiter.budget(source).per_day
    in_days = (calls - per_day) / per_day * DAY_SECONDS if per_day else 0.0
    return round(max(pace.seconds(calls), in_days), 1)


def _put_aside(fleet: Fleet, connection: Connection, sources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sources that nobody waits for: stopped, paused for long, or out of their day's quota before they are through."""
    away = fleet.away(connection)
    quotas = {name: fleet.limiter.budget(name).per_day for name in sources}
    return [
        name
        for name, each in sources.items()
        if each["seconds"] is None or name in away or each["calls"] > (quotas[name] or math.inf)
    ]


def _bound(sources: Mapping[str, Mapping[str, Any]], lookups: float, cores: int) -> tuple[float, str | None]:
    """Seconds of the slowest line, or of the machine, and which it is."""
    if not sources:
        return 0.0, None
    machine = lookups * shipped()["cpu_seconds_per_lookup"] / cores
    slowest = max(sources, key=lambda name: float(sources[name]["seconds"]))
    seconds = float(sources[slowest]["seconds"])
    return (machine, "machine") if machine > seconds else (seconds, slowest)


def _all_in(slowest: float, chain: float) -> float:
    if not slowest:
        return 0.0
    return round(max(slowest, chain) + (1 - OVERLAP) * min(slowest, chain), 1)


def _chain(fleet: Fleet, known: Habits, lane: Lane) -> float:
    """Seconds that a subject takes where nobody is before it: what the slowest line begins and ends with."""
    if lane is not Lane.LOW_PRIORITY:
        return STEPS * SLACK_SECONDS
    batched = {(name, q.name) for name, asked in fleet.questions.items() for q in asked if q.batch > 1}
    gathers = min(fleet.gather_seconds, SLACK_SECONDS + AHEAD_SECONDS / fleet.speed)
    return sum(
        share * (gathers if name in batched else SLACK_SECONDS)
        for role in OF_TRACKS
        for name, share in known.lookups.get((role, lane), {}).items()
    )


def _bytes_per_subject(connection: Connection) -> float:
    total, subjects = rows.size(connection)
    return total / subjects if subjects >= ENOUGH * ENOUGH else float(shipped()["database_bytes_per_subject"])


def _needs(fleet: Fleet, sources: Mapping[str, Mapping[str, Any]], lookups: float, seconds: float) -> dict[str, Any]:
    """Threads that hold each source's calls at its rate, and processor cores, so that neither bounds it."""
    threads = sum(
        max(2, math.ceil(each["calls_per_second"] * (fleet.limiter.now(name).latency + SLACK_SECONDS)))
        for name, each in sources.items()
        if each["calls_per_second"]
    )
    cores = lookups * shipped()["cpu_seconds_per_lookup"] / seconds if seconds else 0.0
    workers = math.ceil(max(threads / SHARE_OF_THREADS / THREADS, cores))
    return {"threads": math.ceil(threads / SHARE_OF_THREADS), "workers": max(1, workers), "cores": round(cores, 2)}
