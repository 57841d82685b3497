"""plan(): from what is known and wanted, the lookups that come next. A waterfall is this function stopping.

All that can be asked about a subject is one graph: questions lead from keys to fields, and fields are keys of further
questions. What is known of a track's performer and album, and what can be asked about them, is in the same graph under
the prefixes `performer.` and `album.`. The cost of a field is the cheapest way to it, in calls.

    critical      every useful source at once                              for latency
    default       the first step of the cheapest way to each missing field; for fields wanted at once, of every source's
    low_priority  the step with most fields per call, with it what costs next
                  to nothing and tells something else; then plan again      for calls

Which steps are worth their calls at all is the selector's word (domain/selecting.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import inf

from enrichment.domain.questions import Chances, Question
from enrichment.domain.selecting import Selector
from enrichment.domain.subjects import INHERITED, Kind, Lane

PARENTS: dict[Kind, tuple[Kind, ...]] = {
    Kind.TRACK: (Kind.PERFORMER, Kind.ALBUM),
    Kind.ALBUM: (),
    Kind.PERFORMER: (),
}
"""Whose questions are asked on behalf of a subject of this kind."""


def prefixed(about: Kind | None, name: str) -> str:
    """The name of a field or key in the graph; what is about a performer already has its prefix."""
    return name if about is None or "." in name else f"{about}.{name}"


@dataclass(frozen=True, eq=False)
class Step:
    """A question of a source about the subject itself (about is None), its performer or its album.

    Planning looks at the names of all steps, and for steps in sets, again and again: each step works its own names out
    once, and is equal to itself alone.
    """

    source: str
    question: Question
    about: Kind | None = None
    chances: Chances = field(default=Chances(), repr=False)

    @cached_property
    def needs(self) -> frozenset[str]:
        """Names in the graph."""
        return frozenset(prefixed(self.about, need) for need in self.question.needs)

    @cached_property
    def identifies(self) -> str:
        """Name in the graph of the identifier it searches for, "" where it is no search."""
        return prefixed(self.about, self.question.identifies) if self.question.identifies else ""

    @cached_property
    def gives(self) -> frozenset[str]:
        """Names in the graph."""
        return frozenset(prefixed(self.about, name) for name in self.question.gives)

    @cached_property
    def is_search(self) -> bool:
        """Does it look by names?"""
        return not {"title", "name"}.isdisjoint(self.question.needs)


class Steps:
    """Every step there is for a kind of subject, in order of preference within a source."""

    def __init__(self, questions: Iterable[tuple[str, Question]], chances: Mapping[str, Chances] | None = None) -> None:
        """questions: (source, question) of every source whose secrets are there. chances: by source."""
        chances = chances or {}
        pairs = tuple(questions)
        self._by_kind = {
            kind: tuple(
                Step(source, question, about, chances.get(source, Chances()))
                for about in (None, *PARENTS[kind])
                for source, question in pairs
                if question.kind == (about or kind) and question.blocking
            )
            for kind in Kind
        }

        self._keys = {
            kind: frozenset(name for step in steps for name in (*step.needs, step.identifies))
            for kind, steps in self._by_kind.items()
        }
        self._named = {
            kind: {(step.source, step.question.name, step.about): step for step in steps}
            for kind, steps in self._by_kind.items()
        }

    def of(self, kind: Kind) -> tuple[Step, ...]:
        """The steps that may be planned for a subject of this kind."""
        return self._by_kind[kind]

    def keys(self, kind: Kind) -> frozenset[str]:
        """Names in the graph by which something is asked, or which make a search needless."""
        return self._keys[kind]

    @cached_property
    def digest(self) -> int:
        """Of what can be asked and what it may tell, 64 bits: other keys or other terms make another one."""
        told = sorted(
            f"{kind}:{step.about}:{step.source}.{step.question.name}:{','.join(sorted(step.gives))}"
            for kind, steps in self._by_kind.items()
            for step in steps
        )
        return int.from_bytes(hashlib.blake2b("\n".join(told).encode(), digest_size=8).digest(), "big", signed=True)

    def named(self, kind: Kind, source: str, question: str, about: Kind | None = None) -> Step | None:
        """The step of this name, or None where it is no longer asked."""
        return self._named[kind].get((source, question, about))


@dataclass(frozen=True, slots=True)
class Situation:
    """What plan() looks at. All names are names in the graph.

    known: keys whose values are known, fresh or not. satisfied: fields known and fresh enough for this request.
    wanted: fields of the subject. open: steps being asked now. spent: steps answered, or failed for this request;
    missed: those of them that found nothing; found: that found something. unavailable: sources that are stopped or
    paused for long. identified: whom any source has known, None for the subject itself. traits: see
    domain/selecting.py. learnt: the chances of steps of which the fleet has learnt more than their sources declare.
    at_once: wanted fields that every source which may have them is asked for, also where one has told them.
    """

    kind: Kind
    lane: Lane
    known: frozenset[str]
    satisfied: frozenset[str]
    wanted: frozenset[str]
    open: frozenset[Step] = frozenset()
    spent: frozenset[Step] = frozenset()
    unavailable: frozenset[str] = frozenset()
    missed: frozenset[Step] = frozenset()
    found: frozenset[Step] = frozenset()
    identified: frozenset[Kind | None] = frozenset()
    traits: frozenset[str] = frozenset()
    at_once: frozenset[str] = frozenset()
    learnt: frozenset[tuple[Step, float]] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """steps: to be asked now. deferred: useful, but only once their source is back. unlikely: left out, with the fields
    per call that they could be expected to bring.
    """

    steps: tuple[Step, ...] = ()
    deferred: tuple[Step, ...] = ()
    unlikely: tuple[tuple[Step, float], ...] = ()


@lru_cache(maxsize=1024)
def plan(steps: tuple[Step, ...], situation: Situation) -> Plan:
    """The lookups that come next; none where everything wanted is there or nothing more can be asked.

    Pure, and remembered: in bulk most subjects are in one of a few situations.
    """
    missing = situation.wanted - situation.satisfied | situation.at_once
    if not missing:
        return Plan()
    at_hand = tuple(s for s in steps if s not in situation.spent and s.identifies not in situation.known)
    selector = Selector(at_hand, situation, _fields_by_name(situation.kind, missing))
    useful = useful_steps(at_hand, situation, missing)
    unlikely = useful - selector.worthwhile(useful)
    likely = tuple(step for step in at_hand if step not in unlikely)
    reachable = tuple(step for step in likely if step.source not in situation.unavailable)
    chosen = _choose(reachable, situation, missing, selector)
    deferred = _only_there(likely, reachable, situation, missing)
    return Plan(chosen, deferred, tuple((step, selector.worth(step)) for step in _ordered(at_hand, unlikely)))


def _choose(
    steps: tuple[Step, ...], situation: Situation, missing: frozenset[str], selector: Selector
) -> tuple[Step, ...]:
    useful = useful_steps(steps, situation, missing)
    if situation.lane is Lane.LOW_PRIORITY:
        return tuple(selector.together(useful))
    ways = Ways(steps, situation)
    cheapest = ways.first_steps(missing)
    if situation.lane is Lane.CRITICAL:
        return _ordered(steps, cheapest | _one_per_source(useful, situation, selector))
    return _ordered(steps, cheapest | _of_every_source(steps, situation, selector, ways, cheapest))


def _only_there(
    steps: tuple[Step, ...], reachable: tuple[Step, ...], situation: Situation, missing: frozenset[str]
) -> tuple[Step, ...]:
    """First steps towards fields that only sources now away can give."""
    if len(steps) == len(reachable):
        return ()
    lost = frozenset(field for field in missing if Ways(reachable, situation).cost(field) == inf)
    first = Ways(steps, situation).first_steps(lost)
    return _ordered(steps, frozenset(step for step in first if step.source in situation.unavailable))


def _ordered(steps: Sequence[Step], chosen: frozenset[Step]) -> tuple[Step, ...]:
    return tuple(step for step in steps if step in chosen)


def useful_steps(steps: Sequence[Step], situation: Situation, missing: frozenset[str]) -> frozenset[Step]:
    """Steps that can be asked now and give a missing field, or a key on the way to one."""
    towards = set(_with_parents(situation.kind, missing))
    useful: set[Step] = set()
    while more := {step for step in steps if step not in useful and step.gives & towards}:
        useful |= more
        towards |= {need for step in more for need in step.needs if need not in situation.known}
    return frozenset(step for step in useful if step.needs <= situation.known and step not in situation.open)


def _one_per_source(useful: frozenset[Step], situation: Situation, selector: Selector) -> frozenset[Step]:
    """Of a source's useful questions about the subject itself, only the best.

    What is asked about performer and album is asked the cheapest way even when in a hurry; the same source is not asked
    twice at once for what one of its answers may hold.
    """
    taken: dict[str, Step] = {}
    busy = {step.source for step in situation.open if step.about is None}
    for step in selector.ranked(useful):
        if step.about is None and step.source not in busy:
            taken.setdefault(step.source, step)
    return frozenset(taken.values())


def _of_every_source(
    steps: Sequence[Step], situation: Situation, selector: Selector, ways: Ways, chosen: frozenset[Step]
) -> frozenset[Step]:
    """The best step of each source that may give a field wanted at once; where it cannot be asked yet, the first steps
    towards what it needs.
    """
    names = set(_with_parents(situation.kind, situation.at_once))
    giving = [step for step in steps if step.gives & names]
    busy = {step.source for step in situation.open | chosen if step.gives & names}
    best: dict[str, Step] = {}
    for step in selector.ranked(step for step in giving if step.needs <= situation.known):
        best.setdefault(step.source, step)
    ahead = [step.needs - situation.known for step in giving if step.source not in best]
    towards = ways.towards(need for needs in ahead for need in needs)
    return towards | {step for source, step in best.items() if source not in busy}


def _fields_by_name(kind: Kind, fields: Iterable[str]) -> dict[str, str]:
    """The field that each name in the graph fills: that of the subject itself, or of a parent that it has it from."""
    return {name: field for field in fields for name in _with_parents(kind, (field,))}


def _with_parents(kind: Kind, fields: Iterable[str]) -> Iterable[str]:
    for name in fields:
        yield name
        if name in INHERITED[kind]:
            parent, its_name = INHERITED[kind][name]
            yield prefixed(parent, its_name)


class Ways:
    """The cheapest way to every field, through the questions that are left."""

    def __init__(self, steps: Sequence[Step], situation: Situation) -> None:
        self._kind = situation.kind
        self._open = situation.open
        self._costs: dict[str, float] = dict.fromkeys(situation.known, 0.0)
        self._by: dict[str, Step] = {}
        self._keys = situation.known
        self._settle_costs(steps)

    def _settle_costs(self, steps: Sequence[Step]) -> None:
        # Wanted fields that are known but stale must be asked for again, so knowing them does not make them free here.
        fields: dict[str, float] = {}
        ways: dict[Step, float] = {}
        changed = True
        while changed:
            changed = False
            for step in steps:
                way = self._price(step) + sum(min(self._costs.get(n, inf), fields.get(n, inf)) for n in step.needs)
                if way >= ways.get(step, inf):
                    continue
                ways[step] = way
                for name in step.gives:
                    if way < fields.get(name, inf):
                        fields[name] = way
                        self._by[name] = step
                        changed = True
        self._fields = fields

    def _price(self, step: Step) -> float:
        return 0.0 if step in self._open else step.question.cost

    def cost(self, field: str) -> float:
        """Calls to this field by the cheapest way, from the subject or from its parents."""
        return min((self._fields.get(name, inf) for name in _with_parents(self._kind, (field,))), default=inf)

    def first_steps(self, missing: Iterable[str]) -> frozenset[Step]:
        """What can be asked now on the cheapest ways to these fields; nothing where an open question leads there."""
        return self.towards(self._nearest(field) for field in missing)

    def towards(self, names: Iterable[str]) -> frozenset[Step]:
        """The same for names in the graph, as questions need them: a parent's value is no key of the subject."""
        found: set[Step] = set()
        for name in names:
            self._walk(name, found.add)
        return frozenset(found)

    def _nearest(self, field: str) -> str:
        return min(_with_parents(self._kind, (field,)), key=lambda name: self._fields.get(name, inf))

    def _walk(self, name: str, take: Callable[[Step], object]) -> bool:
        """Follow the way back to where it can start. True where it starts with an open question."""
        step = self._by.get(name)
        if step is None:
            return False
        if step in self._open:
            return True
        unknown = [need for need in step.needs if need not in self._keys]
        if not unknown:
            take(step)
            return False
        return any(self._walk(need, take) for need in unknown)


def strategy_of(lane: Lane, *, background: bool) -> Lane:
    """A background refresh saves calls whatever lane asks for it."""
    return Lane.LOW_PRIORITY if background else lane
