"""Reports: what has come of requests, how much of what was permitted was used, how the fleet and its subjects stand."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from enrichment.domain.findings import PRODUCER, Statement
from enrichment.domain.merging import merge
from enrichment.domain.questions import Budget, Terms
from enrichment.domain.subjects import FIELDS, WANTED, Kind, Status
from enrichment.reservoir import findings, lookups, outlook, performers, reviews
from enrichment.reservoir import fleet as fleet_rows
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.merging import followed
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.services.fleet import Fleet
from enrichment.services.performers import report_of
from enrichment.services.progress import database_now, left_out
from enrichment.services.submit import by_text
from models import OPEN_STATES, column_of

ENDED = (Status.COMPLETED, Status.PARTIAL, Status.FAILED)
ENOUGH_CALLS = 20.0
"""Of fewer permitted calls a share says nothing: they are over before the first answers are in."""
LOOK_ROWS = 4000
"""How many waiting lookups are looked at to see whether a source has work."""


# --- what was used of what is permitted -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighting:
    """A source at one moment. waiting: calls that could be claimed, up to a bound. turns: all its limiter has given.

    in_call: turns taken whose calls have not ended. in_flight: fetch messages on their way.
    """

    waiting: int
    in_call: int
    in_flight: int
    turns: int
    paused_for: float = 0.0
    reason: str = ""

    def is_busy(self, calls: float = 0.0) -> bool:
        """Is there more to ask than those that hold a turn will take, and so many calls beyond?"""
        return self.paused_for <= 0 and self.waiting - self.in_call > calls

    @property
    def done(self) -> int:
        """Turns whose calls have ended."""
        return self.turns - self.in_call


class Usage:
    """Calls against permitted calls while work was waiting. Moments are seconds of any clock that does not go back."""

    def __init__(self, rates: Mapping[str, float]) -> None:
        """rates: permitted calls per second, by source."""
        self.rates = rates
        self._last: tuple[float, Mapping[str, Sighting]] | None = None
        self._seconds: dict[str, float] = defaultdict(float)
        self._calls: dict[str, int] = defaultdict(int)

    def add(self, moment: float, seen: Mapping[str, Sighting]) -> None:
        """What was seen at this moment. Time counts where a source had work waiting throughout: at its beginning more
        than could have been asked by its end, and some at its end.
        """
        if self._last is not None:
            since, before = self._last
            for source in before.keys() & seen.keys():
                self._count(source, moment - since, before[source], seen[source])
        self._last = (moment, seen)

    def _count(self, source: str, seconds: float, before: Sighting, after: Sighting) -> None:
        # Fewer turns than before: the limiter has lost its state.
        allowed = seconds * self.rates[source]
        if before.is_busy(allowed) and after.is_busy() and after.turns >= before.turns:
            self._seconds[source] += seconds
            self._calls[source] += after.done - before.done

    def interrupt(self) -> None:
        """Nothing could be seen: the time until the next sighting does not count."""
        self._last = None

    def share(self, source: str) -> float | None:
        """Calls as a share of those permitted; None where work waited too shortly to tell, or nothing limits them."""
        allowed = self._seconds[source] * self.rates[source]
        if not ENOUGH_CALLS <= allowed < math.inf:
            return None
        # Turns that were given back unused are counted again when they are given again.
        return min(1.0, self._calls[source] / allowed)


def sight(fleet: Fleet) -> dict[str, Sighting]:
    """All sources now. Raises redis.RedisError and sqlalchemy.exc.DBAPIError."""
    now = {source: fleet.limiter.now(source) for source in fleet.sources}
    sizes = {source: fleet.sizes(source) for source in fleet.sources}
    most = {}
    for source in fleet.sources:
        a_second = min(LOOK_ROWS, fleet.limiter.budget(source).rate)
        calls = math.ceil(now[source].in_call + 1 + a_second)
        most[source] = min(LOOK_ROWS, calls * max(sizes[source].values(), default=1))
    with at_once(fleet.engine) as connection:
        waiting = lookups.calls_waiting(connection, sizes, most)
    return {
        source: Sighting(waiting[source].calls, n.in_call, n.in_flight, n.turns, n.paused_for, n.reason)
        for source, n in now.items()
    }


def permitted(fleet: Fleet) -> dict[str, float]:
    """Calls per second that each source is held to."""
    return {source: fleet.limiter.budget(source).rate for source in fleet.sources}


# --- what has come of requests --------------------------------------------------------------------------------------


def database_moment(fleet: Fleet) -> datetime:
    """Now, by the database's clock."""
    return in_transaction(fleet.engine, database_now)


def statuses(fleet: Fleet, refs: Collection[Ref]) -> dict[Ref, Status]:
    """How these subjects stand."""

    def read(connection: Connection) -> dict[Ref, Status]:
        found = outlook.statuses(connection, [ref.kind for ref in refs], [ref.id for ref in refs])
        return {Ref(Kind(row.kind), row.subject_id): Status(row.status) for row in found}

    return in_transaction(fleet.engine, read)


# Nobody was asked for a subject if no lookup of it, or of its performer or album, was settled since it was requested.
_STANDINGS = text("""
SELECT s.kind, s.subject_id, s.status, s.error_message, s.sources_used, s.is_retriable, s.completeness_score,
    s.requested_at, s.finished_at, extract(epoch FROM s.finished_at - s.requested_at)::float AS seconds,
    NOT EXISTS (
        SELECT FROM lookups l WHERE l.blocking AND l.settled_at >= s.requested_at
        AND l.subject_id IN (s.subject_id, t.performer_id, t.album_id)
    ) AS cached
FROM enrichment_status s LEFT JOIN tracks t ON t.id = s.subject_id WHERE s.subject_id = ANY(:ids)
""")


def answers(fleet: Fleet, refs: Collection[Ref]) -> dict[Ref, dict[str, Any]]:
    """What has come of each request, in the contract of POST /enrich.

    `<kind>_id` (the producer's where there is one), `status`, `sources_used`, `metadata_acquired`, `errors`,
    `duration_seconds` (absent while it is open), `cached`, `timestamp`.
    """

    def read(connection: Connection) -> dict[Ref, dict[str, Any]]:
        now = database_now(connection)
        current = followed(connection, refs)
        subjects = records(connection, current.values())
        found = {}
        for row in connection.execute(_STANDINGS, {"ids": [ref.id for ref in subjects]}):
            ref = Ref(Kind(row.kind), row.subject_id)
            if ref in subjects:
                found[ref] = _answer(ref, row, subjects[ref], now)
        return {ref: found[merged] for ref, merged in current.items() if merged in found}

    return in_transaction(fleet.engine, read)


def _answer(ref: Ref, row: Any, subject: Record, now: datetime) -> dict[str, Any]:
    ended = row.status in ENDED
    answer = {
        f"{ref.kind}_id": subject.id,
        "status": row.status,
        "sources_used": list(row.sources_used),
        "metadata_acquired": subject.values,
        "errors": [row.error_message] if row.error_message else [],
        "cached": bool(ended and row.cached),
        "timestamp": (row.finished_at if ended and row.finished_at else now).isoformat(),
    }
    if ended and row.seconds is not None:
        answer["duration_seconds"] = round(max(0.0, row.seconds), 3)
    return answer


@dataclass(frozen=True, slots=True)
class Record:
    """A subject's row: the id its producer knows it by, and its merged fields."""

    id: str
    values: dict[str, Any]
    enriched_at: datetime | None


def records(connection: Connection, refs: Iterable[Ref]) -> dict[Ref, Record]:
    """These subjects as they are known now; missing ones are left out."""
    wanted = set(refs)
    return {
        subject.ref: Record(subject.external_id or str(subject.ref.id), subject.values, subject.enriched_at)
        for subject in rows.family(connection, wanted)
        if subject.ref in wanted
    }


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What an upstream's own log counted of a source."""

    over_limit: int
    in_pause: int

    def since(self, before: Witnessed | None) -> Witnessed:
        """The difference to an earlier count."""
        if before is None:
            return self
        return Witnessed(self.over_limit - before.over_limit, self.in_pause - before.in_pause)


@dataclass(slots=True)
class Run:
    """Requests that are followed together. refs: of every accepted request, so one subject may be there twice."""

    started_at: datetime
    refs: Sequence[Ref]
    usage: Usage
    seconds: float = 0.0
    witnessed: Mapping[str, Witnessed] = field(default_factory=dict)


_CALLS = text("""
SELECT l.source, count(DISTINCT s.claim_token) AS calls
FROM settles s JOIN lookups l ON l.id = s.lookup_id WHERE s.settled_at >= :since GROUP BY l.source
""")

_FINDINGS = text("""
SELECT source, count(*) AS rows FROM findings WHERE stated_at >= :since AND source <> :producer GROUP BY source
""")


def summary(fleet: Fleet, run: Run) -> dict[str, Any]:
    """What a run came to, in the contract of `demo --json` and `enrich --json`.

    calls: claims settled, however many lookups shared each. used_share: None where hardly any work waited at a source.
    over_limit, refusals: by the upstream's own log, None where there is none.
    reused: requests for which nobody had to be asked, as what they want was known or another request's answer.
    """
    distinct = list(dict.fromkeys(run.refs))
    come = answers(fleet, distinct)

    def read(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
        calls = {row.source: row.calls for row in connection.execute(_CALLS, {"since": run.started_at})}
        values = {"since": run.started_at, "producer": PRODUCER}
        return calls, {row.source: row.rows for row in connection.execute(_FINDINGS, values)}

    calls, stated = in_transaction(fleet.engine, read)
    sources = {name: _source_summary(name, run, calls, stated) for name in fleet.sources}
    made = sum(source["calls"] for source in sources.values())
    asked = sum(1 for ref in distinct if ref in come and not come[ref]["cached"])
    return {
        "requests": _requests(run.refs, come),
        "sources": sources,
        "coverage": _coverage(come),
        "reused": len(run.refs) - asked,
        "calls_per_subject": round(made / len(distinct), 3) if distinct else 0.0,
        "duration_seconds": round(run.seconds, 2),
    }


def _source_summary(name: str, run: Run, calls: Mapping[str, int], stated: Mapping[str, int]) -> dict[str, Any]:
    seen = run.witnessed.get(name)
    share, rate = run.usage.share(name), run.usage.rates[name]
    return {
        "calls": calls.get(name, 0),
        "permitted_per_second": round(rate, 4) if math.isfinite(rate) else None,
        "used_share": round(share, 3) if share is not None else None,
        "over_limit": seen.over_limit if seen else None,
        "findings": stated.get(name, 0),
        "refusals": seen.over_limit + seen.in_pause if seen else None,
    }


def _requests(refs: Sequence[Ref], come: Mapping[Ref, Mapping[str, Any]]) -> dict[str, int]:
    counted = Counter(come[ref]["status"] if ref in come else Status.PENDING.value for ref in refs)
    ended = {str(status): counted[status] for status in ENDED}
    return {"accepted": len(refs), **ended, "open": len(refs) - sum(ended.values())}


def _coverage(come: Mapping[Ref, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each kind, the share of subjects that have a field: all that are wanted, and all that some have."""
    known: dict[Kind, Counter[str]] = {}
    total: Counter[Kind] = Counter()
    for ref, answer in come.items():
        total[ref.kind] += 1
        known.setdefault(ref.kind, Counter()).update(answer["metadata_acquired"].keys())
    return {
        str(kind): {
            name: round(known[kind][name] / total[kind], 3)
            for name in FIELDS[kind]
            if known[kind][name] or name in WANTED[kind]
        }
        for kind in Kind
        if total[kind]
    }


# --- how the fleet stands -------------------------------------------------------------------------------------------

_BY_STATUS = text("SELECT kind, status, count(*) AS rows FROM enrichment_status GROUP BY kind, status")
_ALL_FINDINGS = text(
    "SELECT source, count(*) AS rows FROM findings WHERE source <> :producer AND value <> 'null' GROUP BY source"
)
_OPEN_LETTERS = text("""
SELECT coalesce(source, what) AS source, outcome, count(*) AS rows FROM dead_letters WHERE state = 'open'
GROUP BY 1, 2 ORDER BY 1, 2
""")


def statistics(fleet: Fleet) -> dict[str, Any]:
    """`<kind>_stats` {`total`, `statuses`, `coverage_percentages`}, `findings` by source, `dead_letters` by source and
    outcome; letters of unreadable messages stand under "message".
    """

    def read(connection: Connection) -> dict[str, Any]:
        by_status: dict[str, dict[str, int]] = defaultdict(dict)
        for row in connection.execute(_BY_STATUS):
            by_status[row.kind][row.status] = row.rows
        found: dict[str, Any] = {f"{kind}_stats": _kind_stats(connection, kind, by_status[kind]) for kind in Kind}
        stated = connection.execute(_ALL_FINDINGS, {"producer": PRODUCER})
        said = {row.source: row.rows for row in stated}
        return found | {"findings": said, "dead_letters": open_letters(connection)}

    return in_transaction(fleet.engine, read)


def open_letters(connection: Connection) -> dict[str, dict[str, int]]:
    """How many, by source ("message" where it is none's) and outcome."""
    letters: dict[str, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(_OPEN_LETTERS):
        letters[row.source][row.outcome] = row.rows
    return dict(letters)


def _kind_stats(connection: Connection, kind: Kind, by_status: Mapping[str, int]) -> dict[str, Any]:
    names = list(FIELDS[kind])
    counted = ", ".join(
        f"count({column_of(name)})" if FIELDS[kind][name].shape == "scalar" else f"count(metadata -> '{name}')"
        for name in names
    )
    total, *known = connection.execute(text(f"SELECT count(*), {counted} FROM {kind}s")).one()  # noqa: S608 - constants
    shares = {name: round(100 * rows / total, 1) if total else 0.0 for name, rows in zip(names, known, strict=True)}
    return {
        "total": total,
        "statuses": {str(status): by_status.get(status, 0) for status in Status},
        "coverage_percentages": shares,
    }


def source_states(fleet: Fleet) -> list[dict[str, Any]]:
    """Every source: where it is, what it may, how it stands. Of secrets only whether they are there."""
    with at_once(fleet.engine) as connection:
        known = fleet_rows.standings(connection)
        lines, moment = lookups.lines(connection), database_now(connection)
    fleet.standings()  # every source as its probe has found it
    return [
        _source_state(fleet, name, known.get(name), [x for x in lines if x.source == name], moment)
        for name in fleet.sources
    ]


def _source_state(
    fleet: Fleet, name: str, known: fleet_rows.SourceStanding | None, lines: Sequence[lookups.Line], moment: datetime
) -> dict[str, Any]:
    source, place, now = fleet.sources[name], fleet.wire.place(name), fleet.limiter.now(name)
    stopped = known is not None and known.stopped
    rows_in = {state: sum(line.rows for line in lines if line.state == state) for state in (*OPEN_STATES, "deferred")}
    return {
        "source": name,
        "url": place.url,
        "budget": _budget(fleet.limiter.budget(name)),
        "rate_factor": now.factor if not now.cold else (known.factor if known else 1.0),
        "breaker": now.breaker,
        "stopped": stopped,
        "paused_for": None if stopped else round(max(now.paused_for, known.paused_for if known else 0.0), 1),
        "since": _iso(moment - timedelta(seconds=now.since)) if now.paused_for else None,
        "reason": now.reason or (known.reason if known else ""),
        "in_flight": now.in_flight,
        "in_call": now.in_call,
        "waiting": rows_in["waiting"] + rows_in["gathering"] + rows_in["not_due"],
        "claimed": rows_in["claimed"],
        "deferred": rows_in["deferred"],
        "latency_seconds": round(now.latency, 3),
        "turns": now.turns,
        "questions": [question.name for question in fleet.questions[name]],
        "secrets": {secret: secret in place.secrets for secret in source.secrets},
        "terms": terms_shown(source.terms),
    }


def terms_shown(terms: Terms) -> dict[str, Any]:
    """What an operator asks of those who use its data, as reports and exports show it. `fields`: those under others."""
    shown: dict[str, Any] = {
        "attribution": terms.attribution,
        "url": terms.url,
        "licence": terms.licence,
        "commercial": terms.commercial,
        "keep_seconds": terms.keep_seconds,
    }
    if terms.by_field:
        shown["fields"] = {name: terms_shown(own) for name, own in sorted(terms.by_field.items())}
    return shown


def terms_of(fleet: Fleet, sources: Iterable[str]) -> dict[str, Any]:
    """The terms of these sources by name, for whatever shows their findings."""
    return {name: terms_shown(fleet.sources[name].terms) for name in sorted(set(sources)) if name in fleet.sources}


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        "calls_per_second": round(budget.rate, 4) if math.isfinite(budget.rate) else None,
        "limits": [{"calls": x.calls, "seconds": x.seconds, "burst": x.burst} for x in budget.limits],
        "concurrency": budget.concurrency,
        "per_day": budget.per_day,
    }


def queue(fleet: Fleet) -> list[dict[str, Any]]:
    """Open lookups by `source`, `lane` and `state`: how many (`lookups`), and the age of the oldest in seconds."""
    with at_once(fleet.engine) as connection:
        lines = lookups.lines(connection)
    return [
        {"source": x.source, "lane": x.lane, "state": x.state, "lookups": x.rows, "oldest_seconds": round(x.oldest, 1)}
        for x in lines
    ]


# --- one subject ----------------------------------------------------------------------------------------------------


def subject_report(fleet: Fleet, kind: Kind, given: str) -> dict[str, Any] | None:
    """A subject by the producer's id or ours: what is known, who said so and on which terms, who was asked. None where
    nobody knows it.

    `merged`: by field, how its value came to be. `left_out`: questions that are not worth their calls. `reviews`: open
    doubts that a person has to decide, which nothing was taken from.

    A performer's has the keys of `enrichment_report` besides.
    """

    def read(connection: Connection) -> dict[str, Any] | None:
        ref = by_text(connection, kind, given)
        if ref is None:
            return None
        subject = records(connection, [ref])[ref]
        standing = connection.execute(_STANDINGS, {"ids": [ref.id]}).one_or_none()
        report = {f"{kind}_id": subject.id, "id": str(ref.id), **_standing(standing), "fields": subject.values}
        if kind is Kind.PERFORMER:
            report |= report_of(performers.one(connection, ref.id))
        said = _said(fleet, connection, ref)
        stated = _stated(said)
        terms = terms_of(fleet, (each["source"] for each in stated))
        return report | {
            "merged": _merged(kind, said),
            "findings": stated,
            "terms": terms,
            "lookups": _asked(connection, ref),
            "left_out": left_out(fleet, connection, ref),
            "reviews": _doubts(connection, ref),
        }

    return in_transaction(fleet.engine, read)


def _standing(row: Any | None) -> dict[str, Any]:
    if row is None:
        return {"status": None, "completeness_score": 0.0, "sources_used": []}
    return {
        "status": row.status,
        "is_retriable": row.is_retriable,
        "error_message": row.error_message,
        "completeness_score": round(row.completeness_score, 3),
        "sources_used": list(row.sources_used),
        "requested_at": _iso(row.requested_at),
        "finished_at": _iso(row.finished_at),
    }


def _said(fleet: Fleet, connection: Connection, ref: Ref) -> list[Statement]:
    """What may be used of what is known. What was dropped has left a mark behind, which says nothing."""
    now = database_now(connection)
    return [s for s in findings.of(connection, [ref.id])[ref.id] if s.value is not None and fleet.may_use(s, now)]


def _merged(kind: Kind, said: Sequence[Statement]) -> dict[str, dict[str, Any]]:
    locked = {s.field for s in said if s.locked}
    return {
        name: {
            "source": field.source,
            "confidence": round(field.confidence, 3),
            "reason": field.reason,
            "locked": name in locked,
        }
        for name, field in merge(kind, said).items()
    }


def _doubts(connection: Connection, ref: Ref) -> list[dict[str, Any]]:
    shown = ("id", "doubt", "source", "question", "fields", "candidates", "reason")
    return [{name: each[name] for name in shown} for each in reviews.listed(connection, state="open", subject=ref.id)]


def _stated(said: Iterable[Statement]) -> list[dict[str, Any]]:
    statements = sorted(said, key=lambda s: (s.field, -s.confidence, s.source))
    return [
        {
            "field": s.field,
            "value": s.value,
            "source": s.source,
            "confidence": s.confidence,
            "stated_at": _iso(s.stated_at),
            "reason": s.reason,
            "locked": s.locked,
        }
        for s in statements
    ]


def _asked(connection: Connection, ref: Ref) -> list[dict[str, Any]]:
    return [
        {
            "source": asked.source,
            "question": asked.question,
            "state": asked.state,
            "outcome": asked.outcome,
            "note": asked.error,
            "settled_at": _iso(asked.settled_at),
        }
        for asked in lookups.asked(connection, [ref.id])[ref.id]
    ]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
