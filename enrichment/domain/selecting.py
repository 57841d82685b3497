"""The one selector: which of the questions that could be asked are worth their calls.

A step's chance is the share of subjects that its source is known to answer about, less what others' silence tells: who
is found by nobody probably does not exist, and a source that had nothing by one key rarely has it by another. In
low_priority a chance that was learnt from the fleet's own answers takes the place of all that. A step's gain
is the number of missing fields it can be expected to bring, directly or as the key of a cheap next question; hardly one
that the same source's answer has left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, prod
from typing import TYPE_CHECKING, Any

from enrichment.domain.findings import origin
from enrichment.domain.subjects import Kind, Lane

if TYPE_CHECKING:
    from enrichment.domain.planning import Situation, Step

EXISTS = 0.95
"""Share of what producers hand in that exists at all; the rest are typing errors, private files and talk."""
ALBUM_ALONE = 0.5
"""Share of the albums that are there although the track that names them is not: an estimate."""
LEFT_OUT = 0.1
"""What is left of the chance that an answer holds a field, after another of the same data has left it out."""
NEXT_SHARE = 0.7
"""What a gain is worth that needs another question."""
LONGEST_CHAIN = 4
NEXT_COST = {Lane.LOW_PRIORITY: 0.2}
"""The most calls that a next question may cost for its answers to be counted as a gain of this one."""
NEXT_TO_NOTHING = 0.025
"""Calls that need not be saved by waiting for the answer to a better question first: batches of 40 and more."""
SOMETHING_ELSE = 0.35
"""The least share of a question's gain that is not expected of those which are asked with it."""
LEAST_WORTH = {Lane.CRITICAL: 0.25, Lane.DEFAULT: 0.1, Lane.LOW_PRIORITY: 0.5}
LEAST_WORTH_OF_PERFORMERS = {**LEAST_WORTH, Lane.LOW_PRIORITY: 0.18}
"""Expected fields per call below which a question is not asked. Performers are fewer than tracks, and each stands
beside all of its own."""
MAINSTREAM, OBSCURE = 60, 20
"""Popularity from which on, and below which, a subject has the trait of this name."""

TRAITS = ("mainstream", "obscure", "recent")
"""What a source's `by_trait` may name. recent: released in 2022 or later."""


class Selector:
    """What is worth asking in one situation."""

    def __init__(self, steps: Sequence[Step], situation: Situation, missing: Mapping[str, str]) -> None:
        """steps: that are left, askable now or later. missing: by name in the graph, the field that it fills."""
        self._situation = situation
        self._missing = missing
        self._silence = _silence(situation)
        self._unknown_track = _unknown_track(situation)
        self._told = _told(situation)
        self._learnt = dict(situation.learnt)
        self._there: dict[Kind | None, float] = {}
        self._brought: dict[Step, Mapping[str, float]] = {}
        self._hoped: dict[Step, Mapping[str, float]] = {}
        most = NEXT_COST.get(situation.lane, inf)
        self._next = [
            (unknown, step, NEXT_SHARE * self.chance(step))
            for step in steps
            if (unknown := step.needs - situation.known) and step.question.cost <= most
        ]

    def chance(self, step: Step) -> float:
        """How likely the step is answered with something."""
        if step in self._learnt:
            return self._learnt[step]
        chance = step.chances.of(step.question.name, self._situation.traits)
        chance *= self._silence.get((data_of(step), step.about), 1.0)
        if step.about is Kind.ALBUM:
            chance *= self._unknown_track.get(data_of(step), 1.0)
        return chance * self._exists(step.about) if step.is_search else chance

    def _exists(self, about: Kind | None) -> float:
        """The chance that there is such a subject at all, by Bayes: nobody has answered, and these had nothing.

        The album that a track names is there where the track is, and may be there where it is not.
        """
        if about in self._situation.identified:
            return 1.0
        if about not in self._there:
            before = EXISTS
            if about is Kind.ALBUM and self._situation.kind is Kind.TRACK:
                known = min(1.0, self._exists(None) / EXISTS)
                before *= known + (1 - known) * ALBUM_ALONE
            unseen = before * prod(left for (_, of), left in self._silence.items() if of is about)
            self._there[about] = unseen / (unseen + 1 - before)
        return self._there[about]

    def gain(self, step: Step) -> float:
        """Missing fields that the step is expected to bring, by itself or through the questions that it opens."""
        return sum(self._hopes(step).values())

    def _hopes(self, step: Step) -> Mapping[str, float]:
        """Each of them with its chance."""
        if step not in self._hoped:
            likely = dict.fromkeys(step.gives, 1.0)
            fields = dict(self._brings(step))
            closed = self._next
            for _ in range(LONGEST_CHAIN):
                opened = [each for each in closed if each[0] <= likely.keys()]
                if not opened:
                    break
                closed = [each for each in closed if not each[0] <= likely.keys()]
                for unknown, following, share in opened:
                    chance = share * min(likely[need] for need in unknown)
                    for field, share_of_it in self._brings(following).items():
                        fields[field] = max(fields.get(field, 0.0), chance * share_of_it)
                    for name in following.gives:
                        likely.setdefault(name, chance)
            chance = self.chance(step)
            self._hoped[step] = {field: chance * share for field, share in fields.items()}
        return self._hoped[step]

    def _brings(self, step: Step) -> Mapping[str, float]:
        """The missing fields that its answer may hold, each with the chance that it does."""
        if step not in self._brought:
            told = self._told.get((data_of(step), step.about), frozenset())
            brought: dict[str, float] = {}
            for name in step.gives & self._missing.keys():
                field = self._missing[name]
                share = step.chances.yields.get(name.rpartition(".")[2], 1.0) * (LEFT_OUT if name in told else 1.0)
                brought[field] = max(brought.get(field, 0.0), share)
            self._brought[step] = brought
        return self._brought[step]

    def worth(self, step: Step) -> float:
        """Expected fields per call. Who is in a hurry does not wait until others share the call."""
        in_a_hurry = self._situation.lane is Lane.CRITICAL
        return self.gain(step) / (step.question.calls if in_a_hurry else step.question.cost)

    def worthwhile(self, steps: Iterable[Step]) -> frozenset[Step]:
        """Those that are worth their calls on this lane."""
        least = least_worth(self._situation.kind, self._situation.lane)
        return frozenset(step for step in steps if self.worth(step) >= least)

    def ranked(self, steps: Iterable[Step]) -> list[Step]:
        """Those that bring most per call first."""
        return sorted(steps, key=lambda step: (-self.worth(step), step.source, step.question.name))

    def together(self, steps: Iterable[Step]) -> list[Step]:
        """The one that brings most per call, unless an open one may help; beside these, what costs next to nothing and
        tells something else.
        """
        ranked = self.ranked(steps)
        opened = [step for step in self._situation.open if self._hopes(step)]
        chosen = [] if opened else ranked[:1]
        left: dict[str, float] = {}
        for step in (*opened, *chosen):
            _take(left, self._hopes(step))
        cheap = [step for step in ranked if step not in chosen and step.question.cost <= NEXT_TO_NOTHING]
        for step in sorted(cheap, key=self.gain, reverse=True):
            hopes = self._hopes(step)
            more = sum(share * left.get(field, 1.0) for field, share in hopes.items())
            if more > SOMETHING_ELSE * self.gain(step):
                chosen.append(step)
                _take(left, hopes)
        return chosen


def _take(left: dict[str, float], hopes: Mapping[str, float]) -> None:
    """By field the chance that none of those that are asked tells it."""
    for field, share in hopes.items():
        left[field] = left.get(field, 1.0) * (1 - share)


def least_worth(kind: Kind, lane: Lane) -> float:
    """The bound for subjects of this kind."""
    return (LEAST_WORTH_OF_PERFORMERS if kind is Kind.PERFORMER else LEAST_WORTH)[lane]


def traits_of(known: Mapping[str, Any]) -> frozenset[str]:
    """What is known of a subject (names in the graph) that tells who is likely to know it."""
    popularity = known.get("popularity", known.get("performer.popularity"))
    found = {"recent"} if str(known.get("release_date", ""))[:4] >= "2022" else set()
    if isinstance(popularity, int | float):
        found |= {"mainstream"} if popularity >= MAINSTREAM else {"obscure"} if popularity < OBSCURE else set()
    return frozenset(found)


def data_of(step: Step) -> str:
    """Whose data the answer is made of."""
    return step.chances.data.get(step.question.name) or origin(step.source)


def _silence(situation: Situation) -> dict[tuple[str, Kind | None], float]:
    """By data and what it is about: what is left of its chance after all that it had nothing to say to."""
    left: dict[tuple[str, Kind | None], float] = {}
    for step in situation.missed:
        key = (data_of(step), step.about)
        left[key] = left.get(key, 1.0) * (1 - step.chances.of(step.question.name))
    return left


def _told(situation: Situation) -> dict[tuple[str, Kind | None], frozenset[str]]:
    """By data and what it is about: the names in the graph that its answers might have told."""
    told: dict[tuple[str, Kind | None], frozenset[str]] = {}
    for step in situation.found:
        key = (data_of(step), step.about)
        told[key] = told.get(key, frozenset()) | step.gives
    return told


def _unknown_track(situation: Situation) -> dict[str, float]:
    """By data: what is left of the chance that the track's album is known, where the track itself is not.

    One miss may be the title's fault, and is left out: the most telling one. Several, by other keys, are not.
    """
    misses: dict[str, list[float]] = {}
    for step in situation.missed:
        if step.about is None:
            misses.setdefault(data_of(step), []).append(1 - step.chances.of(step.question.name))
    return {data: prod(sorted(left)[1:]) for data, left in misses.items()}
