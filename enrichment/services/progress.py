"""Advance: merge what is known of subjects, plan what comes next, decide how they stand. One way for all.

submit, settle and replan lock their subjects, write what is new, and call `advance`, all in one transaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from enrichment.domain.completeness import completeness
from enrichment.domain.findings import PRODUCER, Statement, sure_enough
from enrichment.domain.freshness import NEVER, REFRESH_SHARE, recheck_at, satisfies, stale_at
from enrichment.domain.merging import merge, plain
from enrichment.domain.outcomes import ANSWERED, Outcome
from enrichment.domain.planning import Plan, Situation, Step, plan, prefixed, strategy_of
from enrichment.domain.predicting import features
from enrichment.domain.selecting import traits_of
from enrichment.domain.subjects import INHERITED, WANTED, Kind, Lane, Status, lane_of
from enrichment.reservoir import findings, listens, lookups, training
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.lookups import Asked, NewLookup
from enrichment.reservoir.subjects import NewStatus, Ref, Standing, Subject
from enrichment.services import brought, milestones
from enrichment.services.counting import HITS, Tally
from enrichment.services.fleet import Fleet
from models import OPEN_STATES, LookupState

LIVE_PLAY, MANUAL = 6, 10
COVER_SECONDS = 5.0
"""For so long every source that may have the cover of a live play is asked for it, and the best is taken."""
_COVER = {Kind.TRACK: "artwork_url", Kind.ALBUM: "cover_art_url"}
MODELS_SECONDS = 60.0
"""How old a process' models of who knows whom may be."""
ARTWORK_PRIORITY = 2
ARTWORK_FROM = 4
"""Backfills, below this priority, do not fetch pictures along the way: `fetch_artwork` does."""

_NOW = text("SELECT clock_timestamp()")


def database_now(connection: Connection) -> datetime:
    """The one clock that all moments in the database are on."""
    moment: datetime = connection.execute(_NOW).scalar_one()
    return moment


@dataclass(frozen=True, slots=True)
class Advanced:
    """sources: that got work. critical: tracks of the critical lane are to be planned again, now rather than soon.
    counted: for the fleet's tally, once the transaction is committed.
    """

    sources: frozenset[str]
    critical: bool = False
    counted: Tally = dataclasses.field(default_factory=Tally)


def advance(
    fleet: Fleet,
    connection: Connection,
    subjects: Sequence[Subject],
    focus: Iterable[Ref],
    news: Collection[UUID] | None = None,
) -> Advanced:
    """Brings the subjects of `focus` as far as what is known allows.

    subjects: locked, the parents of all tracks in focus among them. news: those of whom something new has been stated,
    None where that may be all of them.
    """
    taken_up = brought.take_up(fleet, connection, subjects)
    state = _State(fleet, connection, subjects)
    wanted = set(focus)
    counted = Tally()
    with milestones.first_pictures(counted, subjects, state.now):
        changed = _remerged(state, subjects, None if news is None else taken_up.union(news))
    rows.write(connection, changed, state.now)
    milestones.begun(subjects, wanted, state.now)
    outcomes = [_plan(state, subject) for subject in subjects if subject.ref in wanted]
    counted.count(HITS, by=sum(outcome.reuses for outcome in outcomes))
    new = [lookup for outcome in outcomes for lookup in outcome.lookups]
    new += _pictures(state, wanted)
    sources = lookups.insert(connection, new, fleet.gather_seconds)
    statuses = [outcome.status for outcome in outcomes if outcome.status]
    rows.write_statuses(connection, statuses, state.now, fleet.steps.digest)
    listens.follow(connection, dict(_moved(state, statuses)))
    milestones.ended(connection, subjects, statuses, state.now, counted)
    touched = wanted.union(subject.ref for subject in changed)
    parents = {ref.id for ref in touched if ref.kind is not Kind.TRACK}
    critical = rows.record_dependants(connection, parents, [ref.id for ref in wanted])
    return Advanced(frozenset(sources), critical, counted)


def take_over(fleet: Fleet, connection: Connection, subjects: Sequence[Subject]) -> None:
    """Merges what was handed in about these subjects, locked; nobody is asked."""
    state = _State(fleet, connection, subjects)
    changed = _remerged(state, subjects, None)
    rows.write(connection, changed, state.now, enriched=False)
    rows.record_dependants(connection, [subject.ref.id for subject in changed], [])


class _State:
    """What advance() looks at, read once."""

    def __init__(self, fleet: Fleet, connection: Connection, subjects: Sequence[Subject]) -> None:
        self.fleet = fleet
        self.subjects = {subject.ref.id: subject for subject in subjects}
        self.now, self.replans = rows.now_and_replans(connection, self.subjects)
        stated = findings.of(connection, self.subjects)
        self.silent = frozenset(id_ for id_, said in stated.items() if not said)
        self.statements: dict[UUID, list[Statement]] = {}
        self.lapsed: dict[tuple[UUID, str, str], datetime] = {}
        for id_, said in stated.items():
            lapsed = [each for each in said if not fleet.may_use(each, self.now)]
            self.statements[id_] = [each for each in said if each not in lapsed] if lapsed else said
            self.lapsed |= {(id_, each.source, each.field): each.stated_at for each in lapsed}
        self.asked = lookups.asked(connection, self.subjects)
        self.away = fleet.away(connection)
        self.models: training.Models = fleet.remembered("models", lambda: training.models(connection), MODELS_SECONDS)
        self._features: dict[UUID, frozenset[str]] = {}
        self._fresh: dict[tuple[UUID, datetime | None, bool], frozenset[str]] = {}

    def parent(self, subject: Subject, kind: Kind) -> Subject | None:
        parent = subject.parents.get(kind)
        return self.subjects.get(parent) if parent is not None else None

    def about(self, subject: Subject, about: Kind | None) -> Subject | None:
        return subject if about is None else self.parent(subject, about)

    def features(self, subject: Subject) -> frozenset[str]:
        """What tells who is likely to know it."""
        id_ = subject.ref.id
        if id_ not in self._features:
            answered = [asked for asked in self.asked[id_] if _answered(asked)]
            found = [f"{a.source}.{a.question}" for a in answered if a.outcome == Outcome.FOUND]
            missed = [f"{a.source}.{a.question}" for a in answered if a.outcome == Outcome.NOTHING_FOUND]
            self._features[id_] = features(subject.values, found, missed)
        return self._features[id_]

    def fresh(self, subject: Subject, standing: Standing) -> frozenset[str]:
        """Fields of which a statement is fresh enough for a request."""
        key = (subject.ref.id, standing.forced_at, standing.refreshing)
        if key not in self._fresh:
            found: set[str] = set()
            for one in self.statements[subject.ref.id]:
                if one.field not in found and self.does(one, standing):
                    found.add(one.field)
            self._fresh[key] = frozenset(found)
        return self._fresh[key]

    def does(self, statement: Statement, standing: Standing) -> bool:
        if statement.locked:
            return True
        if not satisfies(statement.stated_at, standing.forced_at):
            return False
        if not sure_enough(statement.field, statement.confidence):
            return False
        return self.now < self.stale_at(statement, standing)

    def stale_at(self, statement: Statement, standing: Standing) -> datetime:
        """When it is not fresh enough any more for a request."""
        source = self.fleet.sources.get(statement.source)
        if statement.locked or source is None:
            return NEVER
        return stale_at(statement, source.freshness.days_of(statement.field) * _share(standing))


def _share(standing: Standing) -> float:
    """Of the days that something stays fresh, those after which it is asked for again."""
    return REFRESH_SHARE if standing.refreshing else 1.0


def _remerged(state: _State, subjects: Sequence[Subject], news: Collection[UUID] | None) -> list[Subject]:
    """Those whose record has changed. It can where there is news of the subject, or where that of a parent has."""
    changed: dict[UUID, Subject] = {}
    for subject in subjects:  # parents come before their tracks
        told = news is None or subject.ref.id in news or not changed.keys().isdisjoint(subject.parents.values())
        if told and _remerge(state, subject):
            changed[subject.ref.id] = subject
    return list(changed.values())


def _remerge(state: _State, subject: Subject) -> bool:
    """Merge anew; True where the record has changed."""
    kind = subject.ref.kind
    names = {name: subject.values[name] for name in ("title", "artist_name", "name") if name in subject.values}
    values = names | _without_names(plain(merge(kind, state.statements[subject.ref.id])))
    for field, (parent, name) in INHERITED[kind].items():
        above = state.parent(subject, parent)
        if field not in values and above is not None and name in above.values:
            values[field] = above.values[name]
    known_before = {name: value for name, value in subject.values.items() if name not in values}
    if subject.ref.id in state.silent:
        # Rows of other programs carry facts that nobody has stated to us; they stay until somebody does.
        values |= known_before
    changed = values != subject.values
    subject.values = values
    return changed


def _without_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a source calls a subject does not rename it: the names are the producer's."""
    return {name: value for name, value in values.items() if name not in ("title", "artist_name", "name")}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """status: where there is something new in it. reuses: is a new request served, in part at least, by what had been
    found before?
    """

    lookups: tuple[NewLookup, ...] = ()
    status: NewStatus | None = None
    reuses: bool = False


def _plan(state: _State, subject: Subject) -> _Outcome:
    standing = subject.standing
    if standing is None or not standing.is_open or not standing.has_begun(state.now):
        return _Outcome()
    view = _View(state, subject, standing)
    steps = state.fleet.steps.of(subject.ref.kind)
    planned = plan(steps, view.situation)
    new = tuple(view.lookups(planned))
    waits = any(not lookup.deferred for lookup in new) or view.is_waiting
    reuses = standing.status is Status.PENDING and view.has_fresh_findings
    status = view.status(ended=not waits, deferred=bool(planned.deferred))
    return _Outcome(new, None if standing.is_as(status) else status, reuses)


def left_out(fleet: Fleet, connection: Connection, ref: Ref) -> list[dict[str, Any]]:
    """The questions about a subject that the selector holds to be not worth their calls now, the best first."""
    subjects = rows.family(connection, [ref])
    state = _State(fleet, connection, subjects)
    subject = state.subjects.get(ref.id)
    if subject is None or subject.standing is None:
        return []
    view = _View(state, subject, subject.standing)
    weighed = plan(fleet.steps.of(ref.kind), view.situation).unlikely
    return [
        {
            "source": step.source,
            "question": step.question.name,
            "about": step.about or ref.kind,
            "fields_per_call": round(worth, 2),
        }
        for step, worth in sorted(weighed, key=lambda one: (-one[1], one[0].source, one[0].question.name))
    ]


def _moved(state: _State, statuses: Iterable[NewStatus]) -> Iterable[tuple[Ref, Status]]:
    """Tracks that do not stand where they stood."""
    for new in statuses:
        before = state.subjects[new.ref.id].standing
        if new.ref.kind is Kind.TRACK and before is not None and before.status is not new.status:
            yield new.ref, new.status


class _View:
    """One subject with its parents, in the names of the graph."""

    def __init__(self, state: _State, subject: Subject, standing: Standing) -> None:
        self.state, self.subject, self.standing = state, subject, standing
        self.kind = subject.ref.kind
        self.forced_at = standing.forced_at
        self.around: dict[Kind | None, Subject] = {None: subject}
        for parent in subject.parents:
            if (above := state.parent(subject, parent)) is not None:
                self.around[parent] = above

    @cached_property
    def known(self) -> dict[str, Any]:
        return {
            prefixed(about, name): value for about, there in self.around.items() for name, value in there.values.items()
        }

    @cached_property
    def satisfied(self) -> frozenset[str]:
        own = self.state.fresh(self.subject, self.standing)
        inherited = frozenset(
            field
            for field, (parent, name) in INHERITED[self.kind].items()
            if parent in self.around and name in self.state.fresh(self.around[parent], self.standing)
        )
        return own | inherited

    @property
    def has_fresh_findings(self) -> bool:
        """Has anybody but the producer stated a wanted field?"""
        wanted = self.standing.wanted or WANTED[self.kind]
        stated = self.state.statements[self.subject.ref.id]
        return any(s.source != PRODUCER and s.field in wanted and self.state.does(s, self.standing) for s in stated)

    @cached_property
    def situation(self) -> Situation:
        lane = strategy_of(lane_of(self.standing.priority), background=self.standing.refreshing)
        opened, spent, missed, found = set(), set(), set(), set()
        for about, there in self.around.items():
            for asked in self.state.asked[there.ref.id]:
                step = self.state.fleet.steps.named(self.kind, asked.source, asked.question, about)
                if step is None:
                    continue
                if asked.state in OPEN_STATES:
                    opened.add(step)
                elif self._is_spent(step, asked):
                    spent.add(step)
                    if asked.outcome == Outcome.NOTHING_FOUND:
                        missed.add(step)
                    elif asked.outcome == Outcome.FOUND:
                        found.add(step)
        wanted = self.standing.wanted or WANTED[self.kind]
        # Only what makes a difference to the plan: it is remembered by its situation.
        return Situation(
            self.kind,
            lane,
            self.state.fleet.steps.keys(self.kind).intersection(self.known),
            self.satisfied & wanted,
            wanted,
            frozenset(opened),
            frozenset(spent),
            self.state.away,
            frozenset(missed),
            frozenset(found),
            frozenset(about for about, there in self.around.items() if self._is_identified(there)),
            traits_of(self.known),
            self.at_once,
            self._learnt if lane is Lane.LOW_PRIORITY else frozenset(),
        )

    @property
    def _learnt(self) -> frozenset[tuple[Step, float]]:
        """The chances of questions of which the fleet has learnt who knows whom."""
        return frozenset(
            (step, model.chance(self.state.features(there)))
            for (source, question), model in self.state.models.items()
            for about, there in self.around.items()
            if (step := self.state.fleet.steps.named(self.kind, source, question, about)) is not None
        )

    @cached_property
    def at_once(self) -> frozenset[str]:
        """The cover of a live play, for some seconds, unless one was known when the play came."""
        standing = self.standing
        since, field = standing.requested_at, _COVER.get(self.kind, "")
        until = since + timedelta(seconds=COVER_SECONDS / self.state.fleet.speed)
        if standing.priority != LIVE_PLAY or standing.refreshing or self.state.now >= until:
            return frozenset()
        stated = [stated for there in self.around.values() for stated in self.state.statements[there.ref.id]]
        if any(each.field in _COVER.values() and each.stated_at < since for each in stated):
            return frozenset()
        return frozenset({field}) & (standing.wanted or WANTED[self.kind])

    def _is_identified(self, there: Subject) -> bool:
        return any(stated.source != PRODUCER for stated in self.state.statements[there.ref.id])

    def _is_spent(self, step: Step, asked: Asked) -> bool:
        if asked.state == LookupState.DEFERRED:
            return True
        if any(asked.keys.get(need) != self._key(step.about, need) for need in step.question.needs):
            return False
        ended = asked.settled_at or self.state.now
        if self.forced_at is not None and (asked.claimed_at or ended) < self.forced_at:
            return False
        if not _answered(asked):
            return ended >= self.standing.requested_at
        if asked.outcome == Outcome.FOUND and self._has_lapsed(step, asked):
            return False
        return self.state.now < self._asked_again_at(step, asked)

    def _asked_again_at(self, step: Step, asked: Asked) -> datetime:
        """When an answer is old enough to be asked for again."""
        ended = asked.settled_at or self.state.now
        if asked.outcome == Outcome.NOTHING_FOUND:
            return recheck_at(ended, asked.misses, patient=self._is_patient)
        return ended + timedelta(days=self.state.fleet.sources[step.source].freshness.days * _share(self.standing))

    @property
    def _is_patient(self) -> bool:
        """Is it asked for at leisure? What is asked again in the background has been chosen for that."""
        return lane_of(self.standing.priority) is Lane.LOW_PRIORITY and not self.standing.refreshing

    def _has_lapsed(self, step: Step, asked: Asked) -> bool:
        """May something that this answer gave be used no more, by the terms of its source?"""
        for name in step.question.gives if self.state.lapsed else ():
            about, _, field = name.rpartition(".")
            there = self.around.get(Kind(about) if about else step.about)
            stated_at = self.state.lapsed.get((there.ref.id, step.source, field)) if there is not None else None
            if stated_at is not None and (asked.claimed_at is None or stated_at >= asked.claimed_at):
                return True
        return False

    def _key(self, about: Kind | None, need: str) -> Any:
        return self.known.get(prefixed(about, need))

    def lookups(self, planned: Plan) -> Iterable[NewLookup]:
        """The plan as rows."""
        for step in planned.steps:
            yield self._lookup(step, deferred=False)
        for step in planned.deferred:
            yield self._lookup(step, deferred=True)
        for step in self._too_low:
            yield self._lookup(step, deferred=False)

    @property
    def _too_low(self) -> Iterable[Step]:
        """Open questions about the parents it needs that somebody asked with less urgency: they rise to ours."""
        for about, there in self.around.items():
            if about is None or there not in self.needed:
                continue
            for asked in self.state.asked[there.ref.id]:
                step = self.state.fleet.steps.named(self.kind, asked.source, asked.question, about)
                if step is not None and asked.state in OPEN_STATES and asked.priority < self.standing.priority:
                    yield step

    def _lookup(self, step: Step, *, deferred: bool) -> NewLookup:
        there = self.around[step.about]
        question = step.question
        names = (*question.needs, *question.uses)
        keys = {name: self._key(step.about, name) for name in names if self._key(step.about, name) is not None}
        before = self._before(there, step)
        return NewLookup(
            step.source,
            question.name,
            there.ref.kind,
            there.ref.id,
            self.standing.priority,
            keys,
            question.batch_by(keys),
            batched=question.batch > 1,
            deferred=deferred,
            fresh_after=self.forced_at,
            misses=before.misses if before is not None and before.outcome == Outcome.NOTHING_FOUND else 0,
            correlation_id=self.standing.correlation_id,
        )

    def _before(self, there: Subject, step: Step) -> Asked | None:
        asked = self.state.asked[there.ref.id]
        return next((a for a in asked if (a.source, a.question) == (step.source, step.question.name)), None)

    @property
    def needed(self) -> list[Subject]:
        """The subject, and those parents that may still give it a wanted field."""
        missing = (self.standing.wanted or WANTED[self.kind]) - self.satisfied | self.at_once
        kinds = {INHERITED[self.kind][field][0] for field in missing if field in INHERITED[self.kind]}
        return [there for about, there in self.around.items() if about is None or about in kinds]

    @property
    def is_waiting(self) -> bool:
        """Is a lookup or a replan open on the subject, or on a parent that it needs?"""
        for there in self.needed:
            if there is not self.subject and there.ref.id in self.state.replans:
                return True
            if any(asked.blocking and asked.state in OPEN_STATES for asked in self.state.asked[there.ref.id]):
                return True
        return False

    def status(self, *, ended: bool, deferred: bool) -> NewStatus:
        """How the subject stands now."""
        used = sorted({s.source for s in self.state.statements[self.subject.ref.id]} - {PRODUCER})
        score = completeness(self.kind, self.subject.values)
        ref = self.subject.ref
        if not ended:
            status = self.standing.status if self.standing.refreshing else Status.IN_PROGRESS
            return NewStatus(ref, status, score, tuple(used), refreshing=self.standing.refreshing)
        unanswered = [asked for there in self.needed for asked in self._asked_for_this(there) if not _answered(asked)]
        return self._ended(bool(used), unanswered, score, tuple(used), deferred=deferred)

    def _asked_for_this(self, there: Subject) -> Iterable[Asked]:
        for asked in self.state.asked[there.ref.id]:
            since = asked.settled_at is not None and asked.settled_at >= self.standing.requested_at
            if asked.blocking and (since or asked.state == LookupState.DEFERRED):
                yield asked

    def _ended(
        self,
        found: bool,
        unanswered: Sequence[Asked],
        score: float,
        used: tuple[str, ...],
        *,
        deferred: bool,
    ) -> NewStatus:
        open_questions = bool(unanswered) or deferred
        reached = Status.PARTIAL if open_questions else Status.COMPLETED
        status = reached if found else Status.FAILED
        if self.standing.refreshing:
            # A refresh in the background can only better what was reached.
            status = max(status, self.standing.status, key=_BY_WORTH.index)
        return NewStatus(
            self.subject.ref,
            status,
            score,
            used,
            finished=True,
            is_retriable=status is not Status.COMPLETED and (open_questions or not self._was_asked),
            error=self._error(status, unanswered),
            holds_until=None if open_questions else self._holds_until(),
        )

    def _holds_until(self) -> datetime | None:
        """When something wanted grows stale or may be used no more, or somebody may be asked again. None where the next
        request is not planned as this one was: nobody has waited for it, or nobody could be asked.
        """
        if self.kind is not Kind.TRACK or self.standing.refreshing or not self._was_asked:
            return None
        stale: dict[str, datetime] = {}
        for name, stated in self._stated():
            if name in self.situation.satisfied and self.state.does(stated, self.standing):
                stale[name] = max(self.state.stale_at(stated, self.standing), stale.get(name, self.state.now))
        all_stated = (stated for there in self.around.values() for stated in self.state.statements[there.ref.id])
        usable = map(self.state.fleet.usable_until, all_stated)
        return min((*stale.values(), *usable, *self._answers_end()), default=None)

    def _stated(self) -> Iterable[tuple[str, Statement]]:
        """Everything stated of it and, by the names of its own fields, of what it has from its parents."""
        for stated in self.state.statements[self.subject.ref.id]:
            yield stated.field, stated
        for field, (parent, name) in INHERITED[self.kind].items():
            if parent in self.around:
                theirs = self.state.statements[self.around[parent].ref.id]
                yield from ((field, stated) for stated in theirs if stated.field == name)

    def _answers_end(self) -> Iterable[datetime]:
        for about, there in self.around.items():
            for asked in self.state.asked[there.ref.id]:
                step = self.state.fleet.steps.named(self.kind, asked.source, asked.question, about)
                if step is not None and _answered(asked) and self._is_spent(step, asked):
                    yield self._asked_again_at(step, asked)

    @property
    def _was_asked(self) -> bool:
        return any(self.state.asked[there.ref.id] for there in self.needed)

    def _error(self, status: Status, unanswered: Sequence[Asked]) -> str | None:
        if status is Status.COMPLETED:
            return None
        if unanswered:
            return "; ".join(f"{a.source}.{a.question}: {_why(a)}" for a in unanswered)[:1000]
        if not self._was_asked:
            return "no source can be asked: check keys and stopped sources with `linernotes sources`"
        asked = sorted({a.source for there in self.needed for a in self.state.asked[there.ref.id]})
        return f"no source knows it (asked: {', '.join(asked)})" if status is Status.FAILED else None


_BY_WORTH = (Status.PENDING, Status.IN_PROGRESS, Status.FAILED, Status.PARTIAL, Status.COMPLETED)


def _answered(asked: Asked) -> bool:
    return asked.state == LookupState.ENDED and asked.outcome in ANSWERED


def _why(asked: Asked) -> str:
    return (
        "waits for its source" if asked.state == LookupState.DEFERRED else (asked.error or asked.outcome or "unknown")
    )


PICTURE = {Kind.ALBUM: ("download", "cover_art_url"), Kind.PERFORMER: ("portrait", "image_url")}
"""The artwork question of each kind, and the field whose URL it downloads."""


def _pictures(state: _State, focus: set[Ref]) -> Iterable[NewLookup]:
    """The chosen pictures of albums and performers, to be downloaded and checked; nobody waits for them."""
    if "artwork" not in state.fleet.sources:
        return
    for id_, priority in _picture_priorities(state, focus).items():
        yield from _picture(state, state.subjects[id_], priority)


def _picture(state: _State, subject: Subject, priority: int) -> Iterable[NewLookup]:
    question, field = PICTURE[subject.ref.kind]
    url = subject.values.get(field)
    if not url:
        return
    before = next((a for a in state.asked[subject.ref.id] if a.question == question and a.source == "artwork"), None)
    if before is not None and (before.keys.get(field) == url or before.state in OPEN_STATES):
        return
    yield NewLookup(
        "artwork", question, subject.ref.kind, subject.ref.id, artwork_priority(priority), {field: url}, blocking=False
    )


def artwork_priority(priority: int) -> int:
    """Pictures are low_priority, but for a live play or a person's refresh they travel on its lane."""
    return priority if priority in (LIVE_PLAY, MANUAL) else ARTWORK_PRIORITY


def _picture_priorities(state: _State, focus: set[Ref]) -> dict[UUID, int]:
    """Whose picture is wanted now, with the priority of whoever asked for it, or for the tracks of an album."""
    own: dict[UUID, int] = {}
    of_tracks: dict[UUID, int] = {}
    for subject in state.subjects.values():
        if subject.standing is None or subject.ref not in focus:
            continue
        priority, album = subject.standing.priority, subject.parents.get(Kind.ALBUM)
        if subject.ref.kind in PICTURE:
            own[subject.ref.id] = priority
        elif album in state.subjects and priority >= ARTWORK_FROM:
            of_tracks[album] = max(of_tracks.get(album, 0), priority)
    return of_tracks | own
