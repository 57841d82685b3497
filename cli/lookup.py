"""`linernotes lookup`: one call to one source, on the wire and within its limits, without a subject in the database."""

from __future__ import annotations

import time
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
from enrichment.domain.outcomes import ANSWERED, OUTCOME_OF, Answer, Verdict
from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind, clean_value
from enrichment.services import standing
from enrichment.services.fleet import Fleet
from enrichment.sources.base import Ask
from enrichment.wire.limiter import Turn
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

    def keys(self, source: str, kind: Kind) -> dict[str, str]:
        """Under the names of the fields. An album's MBID may be that of its release or of its release group."""
        named: dict[Kind, dict[str, str | None]] = {
            Kind.PERFORMER: {"name": self.artist, "musicbrainz_id": self.mbid},
            Kind.TRACK: {
                "artist_name": self.artist,
                "title": self.title,
                "album_title": self.album,
                "isrc": self.isrc,
                "musicbrainz_id": self.mbid,
            },
            Kind.ALBUM: {
                "artist_name": self.artist,
                "title": self.album or self.title,
                "musicbrainz_release_id": self.mbid,
                "musicbrainz_release_group_id": self.mbid,
            },
        }
        own = {"musicbrainz_id": self.id} if source in ("musicbrainz", "listenbrainz") else {f"{source}_id": self.id}
        if kind is Kind.ALBUM and source in ("musicbrainz", "listenbrainz", "coverartarchive"):
            own = {"musicbrainz_release_id": self.id, "musicbrainz_release_group_id": self.id}
        known = {**named[kind], **{name: value for name, value in own.items() if value}}
        return {name: value for name, value in known.items() if value}


def lookup(source: str, kind: Kind, given: Given, data: Path | None, *, json: bool) -> int:
    """Returns the exit code: 0 where the source answered. Raises typer.BadParameter for what cannot be asked."""
    with opened(data) as fleet:
        question, keys = choose(fleet.fleet, source, kind, given)
        result = _ask(fleet.fleet, source, question, keys)
        allowed = partial(fleet.fleet.permits, source)
    answer = result.answers[0] if result.judgement.verdict is Verdict.ANSWER else None
    outcome = answer.outcome if answer is not None else OUTCOME_OF[result.judgement.verdict]
    found = [each for each in answer.findings if allowed(each.field)] if answer is not None else []
    findings = [_finding(kind, each) for each in found]
    shown: dict[str, Any] = {"source": source, "outcome": str(outcome), "findings": findings, "calls": result.calls}
    if said := _note(result, answer):
        shown["note"] = said
    shown["question"] = question.name
    _tell(shown, json=json)
    return 0 if outcome in ANSWERED else 1


def choose(fleet: Fleet, source: str, kind: Kind, given: Given) -> tuple[Question, dict[str, str]]:
    """The source's first question, in its own order, whose needs are met; and the keys."""
    if source not in fleet.sources:
        raise typer.BadParameter(f"there is no source {source!r}; there are {', '.join(fleet.sources)}")
    keys = given.keys(source, kind)
    declared = [question for question in fleet.sources[source].questions if question.kind is kind]
    possible = [question for question in declared if all(need in keys for need in question.needs)]
    askable = {question.name: question for question in fleet.questions[source]}
    asked = next((askable[question.name] for question in possible if question.name in askable), None)
    if asked is not None:
        return asked, keys
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
    until = time.monotonic() + PATIENCE
    while not isinstance(got := fleet.limiter.take(source), Turn):
        if time.monotonic() + got.after > until:
            reason = fleet.limiter.now(source).reason or "its turns are taken"
            raise Failure(f"{source} cannot be called for {got.after:.0f} s: {reason}; see `linernotes sources`")
        time.sleep(got.after)
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
