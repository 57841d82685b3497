"""Settle: a fetch's findings and its lookups' new state, in one transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection

from enrichment.domain.backoff import LONGEST_WISH, SHED_LIMIT, retry_delay, shed_delay
from enrichment.domain.findings import Candidate, Finding, Statement
from enrichment.domain.outcomes import OUTCOME_OF, Answer, Judgement, Outcome, Verdict
from enrichment.domain.subjects import Kind, Lane, clean_value, lane_of, without_nul
from enrichment.domain.text import name_key, title_key
from enrichment.reservoir import artwork, findings, lookups, merging, settling
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.artwork import Sized
from enrichment.reservoir.claims import Claim
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.identities import album_lock, albums_of
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.settling import Move, Settlement
from enrichment.reservoir.subjects import Ref, Subject
from enrichment.services import doubts
from enrichment.services.counting import FOUND
from enrichment.services.fleet import Fleet
from enrichment.services.progress import Advanced, advance
from enrichment.wire.wire import Result

KILLER_DEATHS = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answered:
    """One claim with what came of it. said_at: when a reply from the cache was asked for."""

    settlement: Settlement
    findings: tuple[Finding, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    pictures: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    said_at: datetime | None = None


def settle(fleet: Fleet, claims: Sequence[Claim], result: Result) -> Advanced:
    """Writes what a call came to. Harmless to do twice: only a claim that is still held is applied.

    Calls that are answered at a time are settled together, and one of them is told what came of it; but a critical
    answer waits for no others.
    """
    answered = list(outcomes(fleet, claims, result))
    if any(lane_of(claim.priority) is Lane.CRITICAL for claim in claims):
        advanced = _settle_all(fleet, [answered])
    else:
        done = fleet.settles.do(answered, lambda several: _settle_all(fleet, several), len(answered))
        advanced = done or Advanced(frozenset())
    log.debug(
        "lookups are settled",
        source=claims[0].source,
        question=claims[0].question,
        lookups={str(each.settlement.claim.id): each.settlement.outcome for each in answered},
        correlation_ids=[claim.correlation_id for claim in claims if claim.correlation_id],
    )
    return advanced


def _settle_all(fleet: Fleet, several: Iterable[Sequence[Answered]]) -> Advanced:
    answered = [each for call in several for each in call]
    advanced = in_transaction(fleet.engine, lambda connection: _settle(fleet, connection, answered))
    fleet.tally.add(advanced.counted.take())
    return advanced


def _settle(fleet: Fleet, connection: Connection, answered: Sequence[Answered]) -> Advanced:
    rows.lock_names(connection, _albums_named(answered))
    subjects = rows.lock(connection, _refs(answered))
    if _refs(answered) - {subject.ref for subject in subjects}:
        answered = _followed(connection, answered)
        subjects = rows.lock(connection, _refs(answered))
    refs = _refs(answered)
    applied = fleet.fence(connection, [each.settlement for each in answered], fleet.worker.id)
    settling.write_dead_letters(connection, [each.settlement for each in answered], applied)
    kept = [each for each in answered if each.settlement.claim.id in applied and each.findings]
    subjects = _meet_albums(connection, subjects, kept)
    stated = _statements(subjects, kept)
    usable = [new for new in stated if fleet.may_use(new.statement, new.statement.stated_at)]
    new_ids = doubts.identified(connection, subjects, usable)
    findings.keep(connection, usable)
    artwork.keep(connection, _pictures(kept))
    held_back = lookups.with_more_to_come(connection, _unhurried(answered))
    ready = {ref for ref in refs if ref.id not in held_back}
    news = {new.subject_id for new in usable} | {ref.id for ref in ready}
    around = news.union(*(subject.family for subject in subjects if subject.ref in ready)) - held_back
    advanced = advance(fleet, connection, [s for s in subjects if s.ref.id in around], ready, news)
    doubts.write(fleet, connection, new_ids, _of_performers(answered, applied))
    for new in usable:
        advanced.counted.count(FOUND, new.statement.source, new.statement.field)
    return advanced


def _unhurried(answered: Iterable[Answered]) -> set[UUID]:
    """Subjects of the low_priority lane. While more answers about one are on the way it is neither merged nor planned:
    the last of them does it for all. Subjects are locked, so one of them is the last.
    """
    claims = [each.settlement.claim for each in answered]
    hurried = {claim.subject_id for claim in claims if lane_of(claim.priority) is not Lane.LOW_PRIORITY}
    return {claim.subject_id for claim in claims} - hurried


def _pictures(kept: Iterable[Answered]) -> Iterable[Sized]:
    """What was downloaded, by the digest under which it is shown."""
    for each in kept:
        digest = next((one.value["sha256"] for one in each.findings if one.field == "artwork"), "")
        yield from (Sized(digest, size, jpeg) for size, jpeg in each.pictures.items())


def _of_performers(
    answered: Iterable[Answered], applied: Collection[int]
) -> list[tuple[Claim, Sequence[Candidate], str]]:
    """Applied answers about performers that found one, or several that may be it."""
    return [
        (claim, each.candidates, each.settlement.note)
        for each in answered
        for claim in [each.settlement.claim]
        if claim.id in applied and claim.kind is Kind.PERFORMER and (each.findings or each.candidates)
    ]


def _refs(answered: Iterable[Answered]) -> set[Ref]:
    return {Ref(each.settlement.claim.kind, each.settlement.claim.subject_id) for each in answered}


def _followed(connection: Connection, answered: Sequence[Answered]) -> list[Answered]:
    """Subjects that were merged while their calls were under way are those that they are now."""
    now = merging.followed(connection, _refs(answered))
    return [
        replace(each, settlement=replace(each.settlement, claim=replace(claim, subject_id=now[ref].id)))
        for each in answered
        for claim in [each.settlement.claim]
        for ref in [Ref(claim.kind, claim.subject_id)]
    ]


def outcomes(fleet: Fleet, claims: Sequence[Claim], result: Result) -> Iterable[Answered]:
    """Each claim's outcome and next move: outcomes are per lookup, not per batch."""
    if result.judgement.verdict is Verdict.ANSWER:
        for claim, answer in zip(claims, result.answers, strict=True):
            if answer.outcome is Outcome.OVER_BUDGET and len(claims) == 1:
                # Cut off although nothing shared its call: asking the same again at once would never end.
                yield Answered(_try_later(fleet, claim, answer.note, result.excerpt))
            else:
                yield _of_answer(claim, answer, result)
        return
    for position, claim in enumerate(claims):
        yield Answered(
            _of_judgement(fleet, claim, result, alone=len(claims) == 1, first=position == 0, size=len(claims))
        )


def _of_answer(claim: Claim, answer: Answer, result: Result) -> Answered:
    match answer.outcome:
        case Outcome.FOUND:
            settlement = Settlement(claim, answer.outcome, Move.END, answer.note, len(answer.findings))
        case Outcome.NOTHING_FOUND:
            settlement = Settlement(claim, answer.outcome, Move.END, answer.note, misses=claim.misses + 1)
        case Outcome.OVER_BUDGET:
            settlement = Settlement(claim, answer.outcome, Move.WAIT, answer.note, misses=claim.misses)
        case _:
            settlement = Settlement(claim, answer.outcome, Move.END, answer.note, died=True, excerpt=result.excerpt)
    return Answered(settlement, answer.findings, answer.candidates, answer.pictures, result.said_at)


def _of_judgement(fleet: Fleet, claim: Claim, result: Result, *, alone: bool, first: bool, size: int) -> Settlement:
    judgement = result.judgement
    outcome = OUTCOME_OF[judgement.verdict]
    note = judgement.message
    match judgement.verdict:
        case Verdict.SHED | Verdict.BLOCKED if (delay := _put_off(fleet, claim, judgement)) is not None:
            shed = judgement.verdict is Verdict.SHED
            return Settlement(claim, outcome, Move.LATER, note, delay=delay, shed=shed, misses=claim.misses)
        case Verdict.SHED | Verdict.FAILING:
            return _try_later(fleet, claim, note, result.excerpt)
        case Verdict.REFUSED:
            # The source stops; its lookups are put aside until a person has acted. One letter tells that person.
            return Settlement(claim, outcome, Move.DEFER, note, died=first, excerpt=result.excerpt, misses=claim.misses)
        case Verdict.BAD_REQUEST | Verdict.UNREADABLE if alone:
            return Settlement(claim, outcome, Move.END, note, died=True, excerpt=result.excerpt)
        case Verdict.BAD_REQUEST | Verdict.UNREADABLE:
            return Settlement(claim, outcome, Move.WAIT, note, split=max(1, size // 2), misses=claim.misses)
        case _:
            return Settlement(claim, outcome, Move.WAIT, note, misses=claim.misses)


def _put_off(fleet: Fleet, claim: Claim, judgement: Judgement) -> float | None:
    """Seconds for which a lookup that was shed, or held back by us, is left alone; None where it is shed too often."""
    if judgement.verdict is Verdict.BLOCKED:
        return judgement.retry_after
    if claim.sheds >= SHED_LIMIT:
        return None
    return max(shed_delay(fleet.jitter()) / fleet.speed, min(judgement.retry_after or 0.0, LONGEST_WISH))


def _try_later(fleet: Fleet, claim: Claim, why: str, excerpt: str) -> Settlement:
    delay = retry_delay(claim.attempts + 1, fleet.jitter())
    if delay is None:
        note = f"{why} (after {claim.attempts} retries)"
        return Settlement(claim, Outcome.TRY_LATER, Move.END, note, attempt=True, died=True, excerpt=excerpt)
    return Settlement(
        claim,
        Outcome.TRY_LATER,
        Move.LATER,
        why,
        delay=delay / fleet.speed,
        attempt=True,
        misses=claim.misses,
    )


def _albums_named(answered: Iterable[Answered]) -> Iterable[str]:
    for each in answered:
        if (title := _album_title(each)) and each.settlement.claim.kind is Kind.TRACK:
            yield from album_lock(each.settlement.claim.keys.get("artist_name", ""), title)


def _album_title(each: Answered) -> str | None:
    titles = (
        f.value for f in each.findings if f.about is Kind.ALBUM and f.field == "title" and isinstance(f.value, str)
    )
    return next(titles, None)


def _meet_albums(connection: Connection, subjects: list[Subject], kept: Sequence[Answered]) -> list[Subject]:
    """Tracks without an album get the one that a reply names; it is locked and read with the others."""
    by_id = {subject.ref.id: subject for subject in subjects}
    named: dict[UUID, tuple[str, str]] = {}
    for each in kept:
        track = by_id.get(each.settlement.claim.subject_id)
        title = _album_title(each)
        if track is not None and track.ref.kind is Kind.TRACK and Kind.ALBUM not in track.parents and title:
            named.setdefault(track.ref.id, (track.values["artist_name"], title))
    if not named:
        return subjects
    albums = albums_of(connection, named.values())
    rows.link_albums(connection, {track: albums[names].id for track, names in named.items() if names in albums})
    return rows.lock(connection, [subject.ref for subject in subjects])


def _statements(subjects: Sequence[Subject], kept: Sequence[Answered]) -> Iterable[NewFinding]:
    """What was found, as stated when the call began: a refresh forced while it was under way is not satisfied by it."""
    by_id = {subject.ref.id: subject for subject in subjects}
    for each in kept:
        claim = each.settlement.claim
        subject = by_id.get(claim.subject_id)
        if subject is None:
            continue
        targets = _targets(subject, by_id, each)
        for finding in each.findings:
            target = targets.get(finding.about)
            if target is None:
                continue
            value = clean_value(target.ref.kind, finding.field, without_nul(finding.value))
            if value is not None:
                moment, why = min(claim.claimed_at, each.said_at or claim.claimed_at), finding.reason
                stated = Statement(finding.field, value, finding.confidence, claim.source, moment, why)
                yield NewFinding(target.ref.kind, target.ref.id, stated, claim.id)


def _targets(subject: Subject, by_id: Mapping[Any, Subject], each: Answered) -> dict[Kind | None, Subject]:
    """Whom the findings of a reply are about; what it says of another album or performer than ours is left out."""
    targets: dict[Kind | None, Subject] = {None: subject, subject.ref.kind: subject}
    for kind, name, key in ((Kind.ALBUM, "title", title_key), (Kind.PERFORMER, "name", name_key)):
        parent = by_id.get(subject.parents.get(kind))
        stated = next((f.value for f in each.findings if f.about is kind and f.field == name), None)
        if parent is not None and (stated is None or key(str(stated)) == key(str(parent.values.get(name, "")))):
            targets[kind] = parent
    return targets
