"""`linernotes lookup`: one call to one source, on the wire and within its limits, without a subject in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.console import Group

from cli.failure import Failure
from cli.fleet import opened
from cli.show import console, print_json, table
from enrichment.domain.outcomes import ANSWERED, OUTCOME_OF, Answer, Outcome, Verdict
from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind, clean_value
from enrichment.services import standing
from enrichment.services.fleet import Fleet
from enrichment.services.turns import wait_for_turn
from enrichment.sources.base import Ask, Source
from enrichment.sources.reading import by_mbid
from enrichment.wire.limiter import NotNow, Turn
from enrichment.wire.wire import Result

PATIENCE = 30.0
"""Seconds to wait for a turn."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller knows of the subject."""

    artist: str | None = None
    title: str | None = None
    album: str | None = None
    isrc: str | None = None
    mbid: str | None = None
    id: str | None = None

    def names(self, kind: Kind) -> dict[str, str]:
        """Names and ISRC under the names of the fields."""
        named: dict[Kind, dict[str, str | None]] = {
            Kind.PERFORMER: {"name": self.artist},
            Kind.TRACK: {
                "artist_name": self.artist,
                "title": self.title,
                "album_title": self.album,
                "isrc": self.isrc,
            },
            Kind.ALBUM: {"artist_name": self.artist, "title": self.album or self.title},
        }
        return {name: value for name, value in named[kind].items() if value}

    def readings(self, source: Source[Any], kind: Kind) -> list[dict[str, str]]:
        """All that the caller may mean: ids may be read in several ways."""
        ids: list[Mapping[str, str]] = []
        if self.id:
            ids += source.ids(kind, self.id)
        if self.mbid:
            ids += by_mbid(kind, self.mbid)
        return [{**self.names(kind), **keys} for keys in ids or [{}]]


def lookup(source: str, kind: Kind, given: Given, data: Path | None, *, json: bool) -> int:
    """Asks one question after the other, in the source's own order, until one finds something: a call each.

    Returns the exit code: 0 where the source answered. Raises typer.BadParameter for what cannot be asked.
    """
    calls = 0
    with opened(data) as fleet:
        for question, keys in choose(fleet.fleet, source, kind, given):
            result = _ask(fleet.fleet, source, question, keys)
            calls += result.calls
            answer = result.answers[0] if result.judgement.verdict is Verdict.ANSWER else None
            if answer is None or answer.outcome is not Outcome.NOTHING_FOUND:
                break
        allowed = partial(fleet.fleet.permits, source)
    outcome = answer.outcome if answer is not None else OUTCOME_OF[result.judgement.verdict]
    found = [each for each in answer.findings if allowed(each.field)] if answer is not None else []
    findings = [_finding(kind, each) for each in found]
    shown: dict[str, Any] = {"source": source, "outcome": str(outcome), "findings": findings, "calls": calls}
    if said := _note(result, answer):
        shown["note"] = said
    shown["question"] = question.name
    _tell(shown, json=json)
    return 0 if outcome in ANSWERED else 1


def choose(fleet: Fleet, source: str, kind: Kind, given: Given) -> list[tuple[Question, dict[str, str]]]:
    """The source's questions whose needs are met, with their keys, in its own order; at least one."""
    if source not in fleet.sources:
        raise typer.BadParameter(f"there is no source {source!r}; there are {', '.join(fleet.sources)}")
    declared = [question for question in fleet.sources[source].questions if question.kind is kind]
    readings = given.readings(fleet.sources[source], kind)
    askable = {question.name: question for question in fleet.questions[source]}
    possible, asked = [], []
    for question in declared:
        distinct: list[tuple[str, ...]] = []
        for keys in readings:
            needed = tuple(keys.get(need, "") for need in question.needs)
            if all(needed) and needed not in distinct:
                distinct.append(needed)
                possible.append(question)
                if question.name in askable:
                    asked.append((askable[question.name], keys))
    if asked:
        return asked
    missing = sorted(
        {name for question in possible for name in question.requires} - fleet.wire.place(source).secrets.keys()
    )
    if missing:
        raise Failure(f"{source} needs {' and '.join(missing)}, which is not set")
    if possible:
        raise Failure(f"the terms of {source} allow no commercial use, and LINERNOTES_COMMERCIAL is set")
    raise typer.BadParameter(_unmet(source, kind, declared))


def _unmet(source: str, kind: Kind, declared: Sequence[Question]) -> str:
    if not declared:
        return f"{source} answers no question about {kind}s"
    ways = " or ".join(dict.fromkeys("+".join(question.needs) for question in declared))
    return f"to ask {source} about one of its {kind}s give {ways} (--artist --title --album --isrc --mbid --id)"


def _ask(fleet: Fleet, source: str, question: Question, keys: Mapping[str, str]) -> Result:
    turn = _turn(fleet, source)
    try:
        result = fleet.wire.ask(source, question, [Ask(0, keys)], turn)
    finally:
        fleet.limiter.free(turn)
    standing.learn(fleet, source, result)
    return result


def _turn(fleet: Fleet, source: str) -> Turn:
    got = wait_for_turn(fleet, source, PATIENCE)
    if isinstance(got, NotNow):
        reason = fleet.limiter.now(source).reason or "its turns are taken"
        raise Failure(f"{source} cannot be called for {got.after:.0f} s: {reason}; see `linernotes sources`")
    return got


def _finding(kind: Kind, finding: Any) -> dict[str, Any]:
    about = {"about": str(finding.about)} if finding.about is not None else {}
    value = clean_value(finding.about or kind, finding.field, finding.value)
    return {"field": finding.field, "value": value, "confidence": finding.confidence, **about}


def _note(result: Result, answer: Answer | None) -> str:
    return answer.note if answer is not None else result.judgement.message


def _tell(shown: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(shown)
        return
    rows = [(each["field"], each.get("about"), each["value"], each["confidence"]) for each in shown["findings"]]
    title = f"{shown['source']}: {shown['outcome']} ({shown['calls']} calls) {shown.get('note', '')}"
    console().print(Group(table(title, ("field", "about", "value", ">confidence"), rows)))
