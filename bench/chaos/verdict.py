"""What a run came to: by SQL, by the harness' own notes of each lookup's moves, and by the witness."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import redis
from sqlalchemy.exc import DBAPIError

from bench.chaos.load import Ledger, external_ids
from bench.chaos.rig import Blow, Rig
from bench.report import Check, at_most
from enrichment.services import report
from enrichment.services.fleet import Fleet

LATE_SECONDS = 2.0
"""A thawed worker's calls that were about to be written when it froze come within so many seconds."""
GRACE = 0.5
LOOK_SECONDS = 1.0
YOUNG_SECONDS = 10.0


@dataclass
class Row:
    """A line of the table.

    accepted: requests that a caller was told are accepted; ended: subjects of theirs that have ended; lost: those that
    have not, or are not there. unlettered: lookups that ended without an answer and without a dead letter. twice:
    lookups that ended more than once. limits: calls over a limit or in a pause; late, apart: those of thawed workers,
    and of each source the first after a clock was set forward: whoever was idle for an hour looks the same.
    repeated: calls that the upstream had answered before. recovery: seconds, the worst; None where nothing came after.
    falls: workers that ended by themselves. unborn: messages that a broker took and that never became a request.
    share: of the calls permitted while work was waiting.
    """

    fault: str
    blows: int = 0
    accepted: int = 0
    ended: int = 0
    lost: int = 0
    unlettered: int = 0
    twice: int = 0
    doubles: int = 0
    limits: int = 0
    late: int = 0
    repeated: int = 0
    recovery: float | None = 0.0
    share: float | None = None
    falls: int = 0
    published: int = 0
    unborn: int = 0
    letters: int = 0
    calls: int = 0
    errors: int = 0
    slowest_submit: float = 0.0
    connections: int = 0
    growth: float = 0.0
    slots: int = 0
    drained: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
    further: list[Check] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        return {name: value for name, value in asdict(self).items() if name not in ("fault", "further")}

    def told(self) -> str:
        """In one line."""
        return ", ".join(f"{name} {value}" for name, value in self.figures().items() if value not in (0, None, {}))

    def checks(self, bound: float) -> list[Check]:
        """I1 to I7. bound: seconds of recovery."""
        promised = {
            "accepted requests lost": self.lost,
            "lookups without answer and letter": self.unlettered,
            "applied twice": self.twice,
            "requests with more than one subject": self.doubles,
            "calls over a limit or in a pause": self.limits,
            "workers that fell": self.falls,
            "slots and tickets left": self.slots,
        }
        made = [at_most(f"{self.fault}: {what}", value, 0) for what, value in promised.items()]
        return [*made, at_most(f"{self.fault}: recovery, seconds", self.recovery, bound), *self.further]


class Sampler:
    """Looks on from outside: which sources have work waiting, how many connections the fleet has, its memory."""

    def __init__(self, rig: Rig, fleet: Fleet) -> None:
        self._rig, self._fleet = rig, fleet
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.usage = report.Usage(report.permitted(fleet))
        self.connections = 0
        self._first: dict[int, float] = {}
        self.growth = 0.0

    def start(self) -> None:
        """From now on."""
        self._thread.start()

    def stop(self) -> None:
        """No longer."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.usage.add(time.monotonic(), report.sight(self._fleet))
            except (DBAPIError, redis.RedisError):
                self.usage.interrupt()
            counted = self._rig.rows(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'linernotes'"
                " AND datname = current_database()"
            )
            self.connections = max([self.connections, *(row.n for row in counted)])
            self._weigh()

    def _weigh(self) -> None:
        """From when a process has settled down: its modules and clients are all there."""
        for pid, weight in self._rig.memory(YOUNG_SECONDS).items():
            self.growth = max(self.growth, weight - self._first.setdefault(pid, weight))


def judged(rig: Rig, row: Row, ledger: Ledger, sampler: Sampler, drained: float | None) -> None:
    """Fills in the row of a run that has ended."""
    log = rig.witnessed()
    row.blows, row.calls = len(rig.blows), len(log)
    row.drained = None if drained is None else round(drained, 1)
    row.connections, row.growth = sampler.connections, round(sampler.growth, 1)
    row.errors, row.slowest_submit = ledger.errors.total(), round(ledger.slowest, 2)
    _requests(rig, row, ledger)
    _lookups(rig, row)
    _limits(rig, row, log)
    row.repeated = _repeated(log)
    row.recovery = _recovery(rig, log)
    row.share = _share(sampler)
    row.more["errors"] = dict(ledger.errors.most_common(3))
    row.more["shares"] = {name: round(share, 3) for name in sampler.usage.rates if (share := sampler.usage.share(name))}
    row.falls = sum(child.failures for child in rig.children)
    row.slots = _slots(rig)


_ENDED = """
SELECT count(*) AS known, count(*) FILTER (WHERE status IN ('completed', 'partial', 'failed')
    AND finished_at IS NOT NULL) AS ended
FROM enrichment_status WHERE subject_id = ANY(:ids)
"""


def _requests(rig: Rig, row: Row, ledger: Ledger) -> None:
    born: Counter[str] = Counter()
    ids: list[UUID] = []
    for table, keys in external_ids([*ledger.accepted, *ledger.published]).items():
        found = rig.rows(f"SELECT id, external_id FROM {table} WHERE external_id = ANY(:keys)", keys=keys)  # noqa: S608 - our own names
        born.update(each.external_id for each in found)
        ids += [each.id for each in found if each.external_id in ledger.accepted]
    ((_, row.ended),) = rig.rows(_ENDED, ids=ids)
    row.accepted, row.published = ledger.asked, len(ledger.published)
    row.lost = len(ids) - row.ended + len(ledger.accepted - born.keys())
    row.unborn = len(ledger.published - born.keys() - ledger.accepted)
    row.doubles = sum(1 for count in born.values() if count > 1)


def _lookups(rig: Rig, row: Row) -> None:
    ((row.unlettered,),) = rig.rows(
        "SELECT count(*) FROM lookups l WHERE state = 'ended' AND outcome NOT IN ('found', 'nothing_found')"
        " AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.lookup_id = l.id)"
    )
    ((row.twice,),) = rig.rows(
        "SELECT count(*) FROM (SELECT lookup_id FROM chaos.moves GROUP BY lookup_id"
        " HAVING count(*) FILTER (WHERE after = 'ended') > 1 OR bool_or(before = 'ended')) twice"
    )
    ((row.letters,),) = rig.rows("SELECT count(*) FROM dead_letters")


def _limits(rig: Rig, row: Row, log: Sequence[Mapping[str, Any]]) -> None:
    thawed = [blow.thawed for blow in rig.blows if blow.thawed is not None]
    set_forward = [blow.began for blow in rig.blows if blow.forgets]
    forgiven: set[tuple[float, str]] = set()
    for line in log:
        if not (line["verdict"] in ("over_limit", "in_pause") or _in_our_pause(rig, line)):
            continue
        once = {(moment, line["source"]) for moment in set_forward if 0 <= line["t"] - moment <= LATE_SECONDS}
        if any(0 <= line["t"] - moment <= LATE_SECONDS for moment in thawed):
            row.late += 1
        elif once - forgiven:
            row.late += 1
            forgiven |= once
        else:
            row.limits += 1
            after = line["t"] - max((blow.ended for blow in rig.blows if blow.ended <= line["t"]), default=line["t"])
            row.more.setdefault("broken", []).append((line["source"], line["verdict"], round(after, 2)))


def _in_our_pause(rig: Rig, line: Mapping[str, Any]) -> bool:
    return any(source == line["source"] and since + GRACE < line["t"] < until for source, since, until in rig.pauses)


def _repeated(log: Sequence[Mapping[str, Any]]) -> int:
    """Questions in the address alone: those in a body cannot be told apart by the log."""
    asked = Counter((line["source"], line["path"]) for line in log if line["method"] == "GET" and line["status"] == 200)
    return sum(count - 1 for count in asked.values())


_HELD = """
SELECT extract(epoch FROM max(until))::float AS until, count(*) FILTER (WHERE until IS NULL) AS kept FROM (
    SELECT at, after, claimed_by, lead(at) OVER (PARTITION BY lookup_id ORDER BY n) AS until FROM chaos.moves
    WHERE lookup_id IN (SELECT lookup_id FROM chaos.moves WHERE claimed_by = ANY(:dead))
) held WHERE after = 'claimed' AND claimed_by = ANY(:dead)
"""


def _recovery(rig: Rig, log: Sequence[Mapping[str, Any]]) -> float | None:
    """Until calls are made again, and until all that a dead worker held has come back."""
    worst = 0.0
    for blow in rig.blows:
        took = _until_recovered(rig, blow, [line["t"] for line in log])
        if took is None:
            return None
        worst = max(worst, took)
    return round(worst, 1)


def _until_recovered(rig: Rig, blow: Blow, calls: Sequence[float]) -> float | None:
    following = next((moment for moment in calls if moment > blow.ended), None)
    if following is None:
        return None
    if blow.dead:
        ((until, kept),) = rig.rows(_HELD, dead=list(blow.dead))
        if kept:
            return None
        following = max(following, until or 0.0)
    return following - blow.ended


def _share(sampler: Sampler) -> float | None:
    """The mean of the sources at which work waited for long enough."""
    shares = [share for source in sampler.usage.rates if (share := sampler.usage.share(source)) is not None]
    return round(sum(shares) / len(shares), 3) if shares else None


def _slots(rig: Rig) -> int:
    """Slots and started tickets that nobody holds any more and that nobody has given back."""
    left = 0
    with redis.Redis.from_url(rig.environ["LINERNOTES_REDIS_URL"]) as client:
        seconds, micros = client.time()
        now = seconds * 1000 + micros / 1000
        for key in client.scan_iter("limiter:*:slots"):
            left += client.zcount(key, now, "+inf")
    return left
