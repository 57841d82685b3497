"""Learning from the fleet's own answers which source knows a subject, and whether that saves calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from enrichment.domain.findings import Statement
from enrichment.domain.merging import merge, plain
from enrichment.domain.predicting import FIELDS, Model, features
from enrichment.domain.questions import Question
from enrichment.domain.selecting import least_worth
from enrichment.domain.subjects import NAMES, WANTED, Lane
from enrichment.reservoir import findings
from enrichment.reservoir import subjects as subject_rows
from enrichment.reservoir import training as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import Ref
from enrichment.reservoir.training import Answered
from enrichment.services.fleet import Fleet

HELD_BACK = 3
"""Of so many subjects one is not learnt from, but measured by."""
ENOUGH, ENOUGH_OF_EACH = 300, 30
"""Answers to learn from, and how many of them must have found something, and how many nothing."""
LEAST_SAVED, MOST_LOST = 0.05, 0.05
"""Shares: of its calls that a question's model must save, and of its answers that it may lose, for it to be used."""
CHUNK = 2000

Fit = Callable[[Sequence[frozenset[str]], Sequence[bool]], Model]
"""Learns from what was told of each subject, and whether the question was answered with something."""


@dataclass(frozen=True, slots=True)
class Example:
    """An answer with what was known before. missing: wanted fields it could bring that nobody had."""

    told: frozenset[str]
    found: bool
    missing: int
    held_back: bool


@dataclass(frozen=True, slots=True)
class Trained:
    """A question's model, measured on what was held back. saved: of the calls; lost: of the answers; both shares."""

    source: str
    question: str
    examples: int
    found: int
    held_back: int
    saved: float
    lost: float
    model: Model

    @property
    def pays(self) -> bool:
        """Is it used?"""
        return self.saved >= LEAST_SAVED and self.lost <= MOST_LOST

    def shown(self) -> dict[str, Any]:
        """For reports."""
        return {
            "source": self.source,
            "question": self.question,
            "answers": self.examples,
            "found": self.found,
            "held_back": self.held_back,
            "calls_saved": round(self.saved, 3),
            "coverage_lost": round(self.lost, 3),
            "used": self.pays,
        }


def train_sources(fleet: Fleet, fit: Fit, most: int = 200_000, *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Learns from the newest answers, and has running workers use what pays within a minute. dry_run: only measures.

    By question: `source`, `question`, `answers` learnt from or measured by, `found` among them, `held_back`,
    `calls_saved` and `coverage_lost` (shares of the held-back calls and answers), `used`.
    """
    trained = [
        made
        for (source, question), examples in _history(fleet, most).items()
        if (made := _trained(source, question, examples, fit)) is not None
    ]
    if not dry_run:
        used = {(each.source, each.question): each.model for each in trained if each.pays}
        in_transaction(fleet.engine, lambda connection: rows.keep(connection, used))
    return [each.shown() for each in sorted(trained, key=lambda each: (each.source, each.question))]


def _history(fleet: Fleet, most: int) -> dict[tuple[str, Question], list[Example]]:
    questions = {(name, each.name): each for name, source in fleet.questions.items() for each in source}
    by_subject: dict[Ref, list[Answered]] = defaultdict(list)
    for each in in_transaction(fleet.engine, partial(rows.answered, most=most)):
        by_subject[Ref(each.kind, each.subject_id)].append(each)
    examples: dict[tuple[str, Question], list[Example]] = defaultdict(list)
    refs = list(by_subject)
    for start in range(0, len(refs), CHUNK):
        for ref, names, stated in in_transaction(fleet.engine, partial(_known, refs=refs[start : start + CHUNK])):
            for each in by_subject[ref]:
                if (question := questions.get((each.source, each.question))) is not None:
                    examples[each.source, question].append(_example(each, question, by_subject[ref], names, stated))
    return examples


def _known(connection: Connection, refs: Sequence[Ref]) -> list[tuple[Ref, dict[str, Any], list[Statement]]]:
    """Of each subject its names, and what was stated about it and still stands."""
    stated = findings.of(connection, [ref.id for ref in refs])
    asked = set(refs)
    return [
        (
            subject.ref,
            {name: subject.values[name] for name in NAMES[subject.ref.kind]},
            [each for each in stated[subject.ref.id] if each.value is not None],
        )
        for subject in subject_rows.family(connection, refs)
        if subject.ref in asked
    ]


def _example(
    each: Answered, question: Question, asked: Sequence[Answered], names: dict[str, Any], stated: Sequence[Statement]
) -> Example:
    before = [one for one in stated if one.stated_at < each.claimed_at and one.source != each.source]
    others = [one for one in asked if one.settled_at <= each.claimed_at and one.name != each.name]
    values = names | plain(merge(each.kind, [one for one in before if one.field in FIELDS]))
    missing = (WANTED[each.kind] & question.gives) - {one.field for one in before}
    told = features(values, [one.name for one in others if one.found], [one.name for one in others if not one.found])
    return Example(told, each.found, max(1, len(missing)), _is_held_back(each.subject_id))


def _is_held_back(subject: UUID) -> bool:
    return int.from_bytes(blake2b(subject.bytes, digest_size=4).digest(), "big") % HELD_BACK == 0


def _trained(source: str, question: Question, examples: Sequence[Example], fit: Fit) -> Trained | None:
    """None where there is too little to learn from."""
    learnt = [each for each in examples if not each.held_back]
    held = [each for each in examples if each.held_back]
    found = sum(each.found for each in learnt)
    if len(learnt) < ENOUGH or min(found, len(learnt) - found) < ENOUGH_OF_EACH or not held:
        return None
    model = fit([each.told for each in learnt], [each.found for each in learnt])
    least = least_worth(question.kind, Lane.LOW_PRIORITY) * question.cost
    skipped = [each for each in held if model.chance(each.told) * each.missing < least]
    answers = sum(each.found for each in held)
    lost = sum(each.found for each in skipped) / answers if answers else 0.0
    all_found = found + answers
    return Trained(source, question.name, len(examples), all_found, len(held), len(skipped) / len(held), lost, model)
