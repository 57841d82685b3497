"""What a settle leaves to people: sources that know several of one name, identifiers that stand on two performers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from enrichment.domain.findings import Candidate
from enrichment.domain.subjects import Kind, clean_value, without_nul
from enrichment.reservoir import reviews
from enrichment.reservoir import subjects as rows
from enrichment.reservoir.claims import Claim
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.reviews import ID_FIELDS, NAMESAKES, SHARED_ID, Known, NewReview
from enrichment.reservoir.subjects import Ref, Subject
from enrichment.services.fleet import Fleet

_OWNERS = {"ra_artist_id": "residentadvisor"}


@dataclass(frozen=True, slots=True)
class Identified:
    """A performer to whom an identifier is new."""

    performer: Subject
    field: str
    value: str


def identified(connection: Connection, subjects: Iterable[Subject], stated: Iterable[NewFinding]) -> list[Identified]:
    """The identifiers that are new to these performers. Whoever else finds one of them waits for us: of two settles
    that give one to two performers the later one sees it.
    """
    performers = {subject.ref.id: subject for subject in subjects if subject.ref.kind is Kind.PERFORMER}
    found = [
        Identified(performers[new.subject_id], new.statement.field, str(new.statement.value))
        for new in stated
        if new.statement.field in ID_FIELDS and new.subject_id in performers
    ]
    new_ones = [each for each in found if each.performer.values.get(each.field) != each.value]
    rows.lock_names(connection, (f"{each.field} {each.value}" for each in new_ones))
    return new_ones


def write(
    fleet: Fleet,
    connection: Connection,
    new: Sequence[Identified],
    answered: Iterable[tuple[Claim, Sequence[Candidate], str]],
) -> None:
    """Reviews of what these answers leave open; those that they answer are over.

    new: as the record is now. answered: each claim with its candidates and why there are several; of performers also
    those without.
    """
    known = [Known(claim.subject_id, claim.source, claim.question) for claim, several, _ in answered if not several]
    taken = [each for each in new if each.performer.values.get(each.field) == each.value]
    known += [Known(each.performer.ref.id, field=each.field) for each in taken]
    reviews.drop_answered(connection, known)
    doubts = [_namesakes(fleet, claim, several, why) for claim, several, why in answered if several]
    shared = reviews.shared(connection, {(each.field, each.value) for each in taken})
    reviews.put(connection, [*doubts, *(_shared(*key, sharers) for key, sharers in shared.items())])


def _namesakes(fleet: Fleet, claim: Claim, several: Sequence[Candidate], why: str) -> NewReview:
    question = next((q for q in fleet.questions[claim.source] if q.name == claim.question), None)
    fields = [question.identifies] if question is not None and question.identifies else []
    shown = [_shown(claim.kind, each) for each in several]
    return NewReview(
        Ref(claim.kind, claim.subject_id), NAMESAKES, claim.source, claim.question, fields, shown, without_nul(why)
    )


def _shown(kind: Kind, candidate: Candidate) -> dict[str, Any]:
    said = [
        {"field": each.field, "value": value, "confidence": each.confidence}
        for each in candidate.findings
        if each.about is None and (value := clean_value(kind, each.field, without_nul(each.value))) is not None
    ]
    values = {each["field"]: each["value"] for each in said}
    return {
        "id": without_nul(candidate.id),
        "name": without_nul(candidate.name),
        "score": candidate.score,
        "reasons": [without_nul(reason) for reason in candidate.reasons],
        "picture": values.get("image_url"),
        "links": values.get("external_urls", {}),
        "country": values.get("country_code"),
        "findings": said,
    }


def _shared(field: str, value: str, sharers: Sequence[Any]) -> NewReview:
    """The oldest of them bears the review, so that further ones join it."""
    shown = [
        {
            "id": str(each.id),
            "name": each.name,
            "score": None,
            "reasons": [f"its {field} is {value}"],
            "picture": each.image_url,
            "links": each.links or {},
            "country": each.country_code,
            "findings": [{"field": field, "value": value, "confidence": 1.0}],
        }
        for each in sharers
    ]
    why = f"{len(sharers)} performers have the {field} {value}"
    owner = _OWNERS.get(field, field.removesuffix("_id"))
    return NewReview(Ref(Kind.PERFORMER, sharers[0].id), SHARED_ID, owner, field, [field], shown, why)
