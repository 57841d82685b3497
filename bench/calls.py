"""What enrichment costs in upstream calls, and what it finds for them: `linernotes bench calls [OPTIONS]`.

On servers of its own, against simulated upstreams without limits, with all keys and, unless --app says otherwise, an
app of Spotify's that has had extended quota since before 27 November 2024: it may still ask for audio features.

    fleet        the tracks at low_priority, from nothing
    again        the same tracks asked again
    artist       up to 200 tracks of one artist, then the artist
    everything   a sample of the tracks at critical priority: every source is asked everything useful
    people       the sample's performers, which the keyless fleet is compared by
    keyless      the sample and its performers without any key or account
    naive        each source searched per track, one after another, believing each first hit

A call is a request that an upstream saw: misses, tokens and redirects count. Downloads of pictures are counted apart.
The tracks are distinct (artist, title) pairs with their album: of a listening log, in the order of a seeded shuffle,
else of the catalogue. Every phase but `again` and `people` begins with nothing known.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from bench.driving import Driven, driven
from bench.naive import Naive
from bench.report import Check, Grid, Report, at_least, at_most, note, start
from bench.workload import Track, Workload, choose, track_of
from enrichment.bootstrap import make_sources
from enrichment.domain.subjects import WANTED, Kind
from enrichment.embedded import Servers, temporary_servers
from enrichment.reservoir.subjects import Ref
from enrichment.services import report
from enrichment.services.requests import PerformerRequest, TrackRequest, read
from enrichment.settings import load
from enrichment.sources.spotify import MODES
from simulator.server import running
from simulator.truth import Recording, World

PHASES = ("fleet", "again", "artist", "everything", "people", "keyless", "naive")
LOW, CRITICAL = 2, 10
PICTURES = "artwork"
CHUNK = 500
FIRST_SHOWN = 6

CALLS_PER_TRACK, AGAIN_PER_TRACK, POINTS, KEYLESS_POINTS = 0.40, 0.005, 2.0, 10.0
SHARES = {"spotify_id": 0.85, "isrc": 0.65, "audio_features": 0.65, "artwork": 0.90}
"""With all keys, on tracks that exist."""
KEYLESS = {
    Kind.TRACK: ("isrc", "musicbrainz_id", "bpm", "key", "genres", "artwork", "release_date", "popularity"),
    Kind.PERFORMER: ("country", "image_url", "genres", "popularity"),
}
"""What still comes without any key or account."""

Fields = Mapping[str, Any]


# --- what a phase comes to ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Phase:
    """What was asked and found.

    calls: by source. found: what is known of each subject at the end. seconds: until nothing was open. pictures:
    downloads of them, which are no calls here. questions: as `_questions` has them. missed: questions that could not be
    asked, by source.
    """

    subjects: int
    calls: dict[str, int]
    found: Mapping[Any, Fields]
    seconds: float = 0.0
    pictures: int = 0
    questions: list[dict[str, Any]] = field(default_factory=list)
    statuses: Mapping[str, int] = field(default_factory=dict)
    missed: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def per_subject(self) -> float:
        """Calls, without downloads of pictures."""
        return round(sum(self.calls.values()) / max(1, self.subjects), 4)

    def coverage(self, keys: Collection[Any] | None = None) -> dict[str, float]:
        """The share of subjects, of all or of these, that have a field."""
        chosen = [self.found[key] for key in (self.found if keys is None else keys) if key in self.found]
        known = Counter(name for values in chosen for name in _with_artwork(values))
        total = self.subjects if keys is None else len(keys)
        return {name: round(count / total, 4) for name, count in sorted(known.items())}

    def figures(self) -> dict[str, Any]:
        """As they stand in the report."""
        shown = {
            "subjects": self.subjects,
            "calls": sum(self.calls.values()),
            "calls_per_subject": self.per_subject,
            "picture_downloads": self.pictures,
            "seconds": round(self.seconds, 1),
            "calls_by_source": self.calls,
            "coverage": self.coverage(),
        }
        more = {"statuses": self.statuses, "questions": self.questions, "missed": self.missed}
        return shown | {name: dict(v) if isinstance(v, Mapping) else v for name, v in more.items() if v}


def _with_artwork(values: Fields) -> set[str]:
    """The fields there are; a temporary picture is one too."""
    known = {name for name, value in values.items() if value not in (None, "", [], {})}
    return known | ({"artwork"} if known & {"artwork_url", "temporary_artwork_url"} else set())


@dataclass(slots=True)
class Lab:
    """Servers, simulated upstreams, and the settings that point a fleet at them. app: its mode at Spotify."""

    servers: Servers
    url: str
    speed: float
    app: str = "extended"

    def environ(self, *, keys: bool) -> dict[str, str]:
        """Settings of a fleet, with every key there is or with none."""
        found = {"LINERNOTES_UPSTREAM_URL": self.url, "LINERNOTES_SPEED": str(self.speed)}
        if keys:
            found["LINERNOTES_SPOTIFY_MODE"] = self.app
            # The simulator tells by the client's id what its app may do, and is content with any key.
            found |= {secret: self.app for each in make_sources(load({})).values() for secret in each.secrets}
        return found

    def calls(self) -> Counter[str]:
        """Requests that the upstreams have seen so far, by source."""
        reply = httpx.get(f"{self.url}/_simulator/stats", timeout=30, trust_env=False)
        return Counter({name: seen["requests"] for name, seen in reply.json()["sources"].items() if seen["requests"]})

    def enrich(self, at_work: Driven, asked: Mapping[Any, TrackRequest | PerformerRequest]) -> Phase:
        """Hands these requests in, waits for their end, and sums up. asked: by what tells them from each other."""
        began, before, since = time.monotonic(), self.calls(), report.database_moment(at_work.fleet)
        accepted = at_work.submit(list(asked.values()))
        made = self.calls() - before
        refs = {key: done.ref for key, done in zip(asked, accepted, strict=True) if done.ref is not None}
        found = _found(at_work, refs)
        return Phase(
            subjects=len(asked),
            seconds=time.monotonic() - began,
            pictures=made.pop(PICTURES, 0),
            calls=dict(made.most_common()),
            found={key: found[ref] for key, ref in refs.items() if ref in found},
            questions=_questions(at_work, since),
            statuses=Counter(str(status) for status in report.statuses(at_work.fleet, refs.values()).values()),
            missed=_missed(at_work),
        )


def _found(at_work: Driven, refs: Mapping[Any, Ref]) -> dict[Ref, Fields]:
    distinct = list(dict.fromkeys(refs.values()))
    found: dict[Ref, Fields] = {}
    for begin in range(0, len(distinct), CHUNK):
        answers = report.answers(at_work.fleet, distinct[begin : begin + CHUNK])
        found |= {ref: answer["metadata_acquired"] for ref, answer in answers.items()}
    return found


# A lookup that asks again for what its source has said takes the finding over, so `first` is a little too low for it.
_QUESTIONS = text("""
WITH asked AS (
    SELECT l.source, l.question, l.kind, count(DISTINCT s.claim_token) AS calls, count(DISTINCT l.id) AS lookups,
        count(DISTINCT l.id) FILTER (WHERE s.outcome = 'found') AS found
    FROM settles s JOIN lookups l ON l.id = s.lookup_id WHERE s.settled_at >= :since
    GROUP BY l.source, l.question, l.kind
), said AS (
    SELECT lookup_id, f.kind || '.' || field AS name, count(*) OVER of_field AS sources,
        row_number() OVER (of_field ORDER BY stated_at, id) AS place
    FROM findings f WHERE value <> 'null' AND f.kind || '.' || field = ANY(:wanted)
    WINDOW of_field AS (PARTITION BY subject_id, field)
), counted AS (
    SELECT l.source, l.question, l.kind, said.name, count(*) FILTER (WHERE place = 1) AS first,
        count(*) FILTER (WHERE sources = 1) AS alone
    FROM said JOIN lookups l ON l.id = said.lookup_id GROUP BY l.source, l.question, l.kind, said.name
), told AS (
    SELECT source, question, kind, sum(alone)::int AS alone,
        jsonb_object_agg(name, first ORDER BY name) FILTER (WHERE first > 0) AS first
    FROM counted GROUP BY source, question, kind
)
SELECT source, question, kind, calls, lookups, found, coalesce(alone, 0) AS alone,
    coalesce(first, CAST('{}' AS jsonb)) AS first
FROM asked LEFT JOIN told USING (source, question, kind) ORDER BY calls DESC, lookups DESC
""")
_WANTED = [f"{kind}.{name}" for kind, fields in WANTED.items() for name in sorted(fields)]


def _questions(at_work: Driven, since: datetime) -> list[dict[str, Any]]:
    """Of each question: claims settled (calls), lookups among them, how many fit a call, and those that found anything.

    first: how often it was the first to state a wanted field, by field; alone: how often no other source has stated it.
    """
    with at_work.fleet.engine.connect() as connection:
        rows = connection.execute(_QUESTIONS, {"since": since, "wanted": _WANTED})
        asked = [dict(row) for row in rows.mappings()]
    return [each | {"batch": at_work.fleet.sizes(each["source"]).get(each["question"], 1)} for each in asked]


def _missed(at_work: Driven) -> dict[str, list[str]]:
    """Questions that cannot be asked for want of a key, by source."""
    fleet = at_work.fleet
    missed = {
        name: [q.name for q in source.questions if q.name not in fleet.sizes(name)]
        for name, source in fleet.sources.items()
    }
    return {name: questions for name, questions in missed.items() if questions}


def _requests(rows: Sequence[Mapping[str, Any]], priority: int) -> dict[Track, TrackRequest]:
    return {track_of(row): read(TrackRequest, {**row, "priority": priority}) for row in rows}


def _performers(rows: Sequence[Mapping[str, Any]]) -> dict[str, PerformerRequest]:
    return {row["artist"]: read(PerformerRequest, {"name": row["artist"], "priority": LOW}) for row in rows}


# --- the phases -----------------------------------------------------------------------------------------------------


class Bench:
    """The phases, in an order in which each finds what it is compared with."""

    def __init__(self, lab: Lab, given: Workload) -> None:
        self._lab = lab
        self._given = given
        self.done: dict[str, Phase] = {}
        self.artist: dict[str, Any] = {}

    def run(self, phases: Collection[str]) -> None:
        """These phases; `again` and `people` go on where `fleet` has ended."""
        if "fleet" in phases:
            with driven(self._lab.servers, self._lab.environ(keys=True)) as at_work:
                self._low("fleet", at_work)
                if "again" in phases:
                    self._low("again", at_work)
                if "people" in phases:
                    self._keep("people", self._lab.enrich(at_work, _performers(self._given.sample)))
        if "artist" in phases:
            self._of_artist()
        if "everything" in phases:
            with driven(self._lab.servers, self._lab.environ(keys=True), without=[PICTURES]) as at_work:
                self._keep("everything", self._lab.enrich(at_work, _requests(self._given.sample, CRITICAL)))
        if "keyless" in phases:
            with driven(self._lab.servers, self._lab.environ(keys=False)) as at_work:
                self._keep("keyless", self._lab.enrich(at_work, _requests(self._given.sample, LOW)))
                self._keep("keyless_people", self._lab.enrich(at_work, _performers(self._given.sample)))
        if "naive" in phases:
            self._naive()

    def _low(self, name: str, at_work: Driven) -> None:
        self._keep(name, self._lab.enrich(at_work, _requests(self._given.rows, LOW)))

    def _keep(self, name: str, phase: Phase) -> None:
        self.done[name] = phase
        note(f"{name}: {phase.subjects} subjects, {phase.per_subject:.3f} calls each, {phase.seconds:.0f} s")

    def _of_artist(self) -> None:
        rows = self._given.of_artist
        with driven(self._lab.servers, self._lab.environ(keys=True)) as at_work:
            phase = self._lab.enrich(at_work, _requests(rows, LOW))
            self._keep("artist", phase)
            self._lab.enrich(at_work, _performers(rows[:1]))
            with at_work.fleet.engine.connect() as connection:
                asked = connection.execute(_OF_PERFORMER, {"name": rows[0]["artist"]}).all()
        self.artist = {
            "artist": rows[0]["artist"],
            "tracks": len(rows),
            "calls_about_the_artist": {f"{row.source}.{row.question}": row.calls for row in asked},
        }

    def _naive(self) -> None:
        rows = self._given.sample
        began, before, naive = time.monotonic(), self._lab.calls(), Naive(self._lab.url)
        found = naive.tracks([track_of(row) for row in rows])
        naive.close()
        made = self._lab.calls() - before
        by_track = dict(zip(map(track_of, rows), found, strict=True))
        self._keep("naive", Phase(len(rows), dict(made.most_common()), by_track, time.monotonic() - began))


_OF_PERFORMER = text("""
SELECT l.source, l.question, count(DISTINCT s.claim_token) AS calls
FROM performers p JOIN lookups l ON l.subject_id = p.id JOIN settles s ON s.lookup_id = l.id
WHERE lower(p.name) = lower(:name) GROUP BY l.source, l.question ORDER BY l.source, l.question
""")


# --- what is said about them ----------------------------------------------------------------------------------------


def _checks(bench: Bench, given: Workload) -> list[Check]:
    done, checks = bench.done, []
    if fleet := done.get("fleet"):
        checks.append(at_most("fleet: calls per track", fleet.per_subject, CALLS_PER_TRACK))
        exist = fleet.coverage(given.existing & set(fleet.found))
        checks += [
            at_least(f"fleet: {name} of tracks that exist", exist.get(name, 0.0), s) for name, s in SHARES.items()
        ]
    if again := done.get("again"):
        checks.append(at_most("again: calls per track", again.per_subject, AGAIN_PER_TRACK))
    if bench.artist:
        most = max(bench.artist["calls_about_the_artist"].values(), default=None)
        checks.append(at_most("artist: calls for any question about the artist", most, 1))
    if fleet and (everything := done.get("everything")):
        lost = _points(everything, fleet, sorted(WANTED[Kind.TRACK]))
        checks += [at_most(f"fleet: {name}, points below everything", value, POINTS) for name, value in lost.items()]
    return checks + _keyless_checks(done)


def _keyless_checks(done: Mapping[str, Phase]) -> list[Check]:
    pairs = ((Kind.TRACK, "fleet", "keyless"), (Kind.PERFORMER, "people", "keyless_people"))
    return [
        at_most(f"keyless: {kind} {name}, points below all keys", value, KEYLESS_POINTS)
        for kind, full, less in pairs
        if full in done and less in done
        for name, value in _points(done[full], done[less], KEYLESS[kind], of=done[less].found).items()
    ]


def _points(more: Phase, less: Phase, fields: Sequence[str], of: Collection[Any] | None = None) -> dict[str, float]:
    """By how many points of a hundred the second phase covers less, among the first one's subjects or among these."""
    keys = list(more.found if of is None else of)
    one, other = more.coverage(keys), less.coverage(keys)
    return {name: round(100 * (one.get(name, 0.0) - other.get(name, 0.0)), 2) for name in fields}


def right_shares(phase: Phase, given: Workload) -> dict[str, float]:
    """Of the ids and dates found, the share that are the asked recording's."""
    right: dict[str, list[bool]] = defaultdict(list)
    for key, values in phase.found.items():
        for name in CHECKED:
            if value := values.get(name):
                right[name].append(is_right(name, value, given.truth.get(key)))
    return {name: round(sum(each) / len(each), 4) for name, each in sorted(right.items())}


IDS = frozenset({"isrc", "spotify_id", "musicbrainz_id"})
CHECKED = IDS | {"release_date"}
"""Fields of which the truth can tell whether they are the asked recording's: others depend on who says them."""


def is_right(name: str, value: str, recording: Recording | None) -> bool:
    """Is this the recording's? A date is where it came out on any album on that day, month or year."""
    tracks = recording.tracks if recording else ()
    if name == "musicbrainz_id":
        return recording is not None and value == recording.mbid
    if name == "release_date":
        return any(date.startswith(value) or value.startswith(date) for track in tracks if (date := track.album.date))
    return value in {getattr(track, name) for track in tracks}


def without_wrong(found: Fields, recording: Recording | None) -> Fields:
    """Nothing is left of a record whose every identifier is another recording's: so are its figures."""
    told = {name: value for name, value in found.items() if value is not None}
    right = {name for name, value in told.items() if name in CHECKED and is_right(name, value, recording)}
    if IDS & told.keys() and not IDS & right:
        return {}
    return {name: value for name, value in told.items() if name not in CHECKED or name in right}


def _figures(bench: Bench, given: Workload, options: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "tracks": len(given.rows),
        "tracks_that_exist": sum(track_of(row) in given.existing for row in given.rows),
        "sample": len(given.sample),
        "seed": options.seed,
        "app": options.app,
    }
    for name, phase in bench.done.items():
        figures[name] = phase.figures()
        if "people" not in name:
            figures[name]["coverage_of_existing"] = phase.coverage(given.existing & set(phase.found))
            figures[name]["right"] = right_shares(phase, given)
    if bench.artist:
        figures["artist"] |= bench.artist
    return figures


def _grids(bench: Bench, given: Workload) -> list[Grid]:
    done = bench.done
    phases = list(done)
    sources = sorted({source for phase in done.values() for source in phase.calls})
    calls = [
        (source, *(round(done[name].calls.get(source, 0) / max(1, done[name].subjects), 4) for name in phases))
        for source in sources
    ]
    calls.append(("all", *(done[name].per_subject for name in phases)))
    calls.append(("pictures", *(round(done[name].pictures / max(1, done[name].subjects), 4) for name in phases)))
    grids = [
        Grid("Calls per subject", ("source", *(f">{name}" for name in phases)), calls),
        _coverage_grid(done, given),
    ]
    if "fleet" in done:
        grids.append(_questions_grid(done["fleet"]))
    return grids


def _questions_grid(phase: Phase) -> Grid:
    columns = ("source", "question", ">calls", ">lookups", ">batch", ">found", ">alone", "first to state")
    rows = []
    for each in phase.questions:
        said = sorted(each["first"].items(), key=lambda pair: -pair[1])
        first = ", ".join(f"{name.removeprefix('track.')} {count}" for name, count in said[:FIRST_SHOWN])
        rows.append((*(each[name.removeprefix(">")] for name in columns[:-1]), first))
    return Grid("What the fleet asked", columns, rows)


def _coverage_grid(done: Mapping[str, Phase], given: Workload) -> Grid:
    sample = {track_of(row) for row in given.sample}
    shown = [name for name in ("fleet", "everything", "keyless", "naive") if name in done]
    shares = {name: done[name].coverage(sample) for name in shown}
    wanted = [*sorted(WANTED[Kind.TRACK]), "artwork", "audio_features"]
    rows = [
        (name, *(round(100 * shares[phase].get(name, 0.0), 1) for phase in shown)) for name in dict.fromkeys(wanted)
    ]
    right = {name: right_shares(done[name], given) for name in shown}
    rows += [
        (f"{name} is the right one", *(100 * right[phase][name] if name in right[phase] else None for phase in shown))
        for name in sorted(CHECKED)
    ]
    return Grid("Percent of the sample's tracks that have a field", ("field", *(f">{name}" for name in shown)), rows)


# --- how it is started ----------------------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench calls`."""
    parser.add_argument("--rows", type=int, help="tracks [5000 of a log, else the whole catalogue that ships]")
    parser.add_argument("--catalogue", type=_file, help="tracks.jsonl[.gz]; without it the small one that ships")
    parser.add_argument("--listens", type=_file, help="scrobbles.csv[.gz]: the tracks to ask for")
    parser.add_argument("--sample", type=int, default=1000, help="tracks of the phases that take long [%(default)s]")
    parser.add_argument("--phases", type=_phases, default=PHASES, help=f"which to run [{','.join(PHASES)}]")
    parser.add_argument("--app", choices=MODES, default=MODES[-1], help="at Spotify [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=5.0, help="how fast time runs [%(default)s]")


def _file(given: str) -> Path:
    path = Path(given)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return path


def _phases(given: str) -> tuple[str, ...]:
    asked = given.split(",")
    unknown = [name for name in asked if name not in PHASES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no phase {unknown[0]!r}; there are {', '.join(PHASES)}")
    if "fleet" not in asked and {"again", "people"} & set(asked):
        raise argparse.ArgumentTypeError("again and people go on where fleet has ended; name it too")
    return tuple(asked)


def run(options: argparse.Namespace) -> Report:
    """Measures the phases asked for."""
    if options.rows is None and options.listens:
        options.rows = 5000
    with ExitStack() as stack:
        started = running(catalogue=options.catalogue, listens=options.listens, unlimited=True, speed=options.speed)
        url = stack.enter_context(started)
        servers = stack.enter_context(temporary_servers())
        # The simulator's world is in a process of its own; this one tells which tracks exist, and what they are.
        world = World.build(options.catalogue, options.listens)
        given = choose(world, options.listens, rows=options.rows, sample=options.sample, seed=options.seed)
        note(f"{len(given.rows)} tracks, a sample of {len(given.sample)}")
        bench = Bench(Lab(servers, url, options.speed, options.app), given)
        bench.run(options.phases)
    return Report("calls", _figures(bench, given, options), _checks(bench, given), _grids(bench, given))


if __name__ == "__main__":
    sys.exit(start("calls", sys.argv[1:]))
