"""What people decide: which candidate a subject is, or none of them; and fields that they lock for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from enrichment.domain.findings import Statement, marks
from enrichment.domain.subjects import FIELDS, NAMES, WANTED, Kind, clean_value, without_nul
from enrichment.reservoir import findings
from enrichment.reservoir import reviews as rows
from enrichment.reservoir import subjects as subject_rows
from enrichment.reservoir.findings import NewFinding
from enrichment.reservoir.merging import followed
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.reviews import SHARED_ID, Known, NotThis
from enrichment.reservoir.subjects import Ref, Subject, Wish
from enrichment.services.audit import audited
from enrichment.services.fleet import Fleet
from enrichment.services.progress import Advanced, advance, database_now
from enrichment.services.refill import refill_all
from enrichment.services.replan import replan_critical
from enrichment.services.requests import BadRequest, Conflict, Unknown
from enrichment.services.submit import by_text

PRIORITY = 5
"""Of the lookups that a decision leads to."""

LARGEST, LONGEST = 2**31 - 1, 2000
"""Numbers, and bytes of texts, that a column and its index can hold."""

Json = dict[str, Any]
T = TypeVar("T")


class Decision(StrEnum):
    """choose: it is this candidate. none: it is none of them. lock: the field is what it is now, or a given value."""

    CHOOSE = "choose"
    NONE = "none"
    LOCK = "lock"


_PAST = {Decision.CHOOSE: "chosen", Decision.NONE: "none", Decision.LOCK: "locked"}


# --- looking --------------------------------------------------------------------------------------------------------


def listed(
    fleet: Fleet,
    *,
    state: str | None = "open",
    doubt: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    most: int = 100,
    below: int | None = None,
) -> list[Json]:
    """The newest reviews, without their candidates, of which `candidates` is the number.

    `id`, `kind`, `subject_id`, `name`, `doubt` (`namesakes` or `shared_id`), `source`, `question`, `fields`, `reason`,
    `state`, `created_at`, `asked_at`, `decision`, `chosen`, `decided_by`, `decided_at`. subject: its id, the producer's
    or ours. below: for the next page, the last one's id. Raises Unknown for a subject that nobody knows.
    """

    def read(connection: Connection) -> list[Json]:
        ref = _of_any_kind(connection, subject) if subject is not None else None
        found = rows.listed(
            connection,
            state=state,
            doubt=doubt,
            source=source,
            subject=ref.id if ref is not None else None,
            most=most,
            below=below,
        )
        return [_plain(each) for each in found]

    return in_transaction(fleet.engine, read)


def shown(fleet: Fleet, number: int) -> Json:
    """One review with its `candidates`: `id`, `name`, `score`, `reasons`, `picture`, `links`, `country`, `findings`.

    Raises Unknown where there is none of this number.
    """
    return _plain(in_transaction(fleet.engine, lambda connection: _one(connection, number)))


def _one(connection: Connection, number: int) -> Json:
    found = rows.one(connection, number)
    if found is None:
        raise Unknown(f"there is no review {number}")
    if found["doubt"] == SHARED_ID:
        # Its candidates are performers, who may have been merged since.
        refs = {each["id"]: Ref(Kind(found["kind"]), UUID(each["id"])) for each in found["candidates"]}
        now = followed(connection, refs.values())
        current = {str(now[refs[each["id"]]].id): each for each in found["candidates"]}
        found["candidates"] = [each | {"id": id_} for id_, each in current.items()]
    return found


def _of_any_kind(connection: Connection, given: str) -> Ref:
    found = (ref for kind in Kind if (ref := by_text(connection, kind, given)) is not None)
    ref = next(found, None)
    if ref is None:
        raise Unknown(f"no subject has the id {given!r}, neither the producer's nor ours")
    return ref


def _plain(row: Mapping[str, Any]) -> Json:
    """As JSON has it."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else str(value) if isinstance(value, UUID) else value
        for name, value in row.items()
    }


# --- deciding -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Word:
    """What a person says."""

    decision: Decision
    who: str
    candidate: str | None
    value: Any

    @property
    def kept(self) -> tuple[str, str | None, str]:
        """As the review keeps it."""
        return _PAST[self.decision], self.candidate, self.who

    def check(self, candidates: Collection[str]) -> None:
        """Raises BadRequest where it makes no sense for these candidates."""
        if (self.decision is Decision.CHOOSE) != (self.candidate is not None):
            raise BadRequest("candidate: needed to choose, and only then")
        if self.value is not None and self.decision is not Decision.LOCK:
            raise BadRequest("value: only to lock")
        if self.candidate is not None and self.candidate not in candidates:
            raise BadRequest(f"candidate: {self.candidate!r} is none of {', '.join(sorted(candidates))}")


def decide(
    fleet: Fleet, number: int, decision: Decision, *, who: str, candidate: str | None = None, value: Any = None
) -> Json:
    """A person's word on a review, for ever; its subjects are planned again. The same word twice is one.

    candidate: the id of the chosen one. value: what to lock instead of the present value. Returns the review. Raises
    Unknown where there is none, Conflict where it is decided otherwise, BadRequest where the decision is not possible.
    """
    word = _Word(decision, who, candidate, _sound(value))

    def work(connection: Connection) -> tuple[Json, Advanced]:
        refs = _refs(_one(connection, number))
        subjects = subject_rows.lock(connection, refs)
        is_open, review = rows.lock_open(connection, number), _one(connection, number)
        if is_open:
            rows.decide(connection, number, *word.kept)
            _apply(fleet, connection, review, word)
        elif (review["decision"], review["chosen"], review["decided_by"]) != word.kept:
            raise Conflict(f"review {number} was decided by {review['decided_by']}: {review['decision']}")
        return _one(connection, number), _plan_again(fleet, connection, subjects, refs)

    with audited(
        fleet, who, "decide review", str(number), decision=str(decision), candidate=candidate, value=word.value
    ):
        return _plain(_done(fleet, work))


def _refs(review: Json) -> set[Ref]:
    """The subjects that the decision is about."""
    kind = Kind(review["kind"])
    sharers = {Ref(kind, UUID(each["id"])) for each in review["candidates"] if review["doubt"] == SHARED_ID}
    return {Ref(kind, review["subject_id"]), *sharers}


def _apply(fleet: Fleet, connection: Connection, review: Json, word: _Word) -> None:
    candidates = {each["id"]: each for each in review["candidates"]}
    word.check(candidates)
    if word.decision is Decision.LOCK:
        _lock_doubtful(connection, review, word.value, word.who)
        return
    chosen = candidates.pop(word.candidate) if word.candidate is not None else None
    kept = _marks(review, chosen) if chosen is not None else []
    rejected = [mark for each in candidates.values() for mark in _marks(review, each) if mark not in kept]
    rows.reject(connection, rejected, word.who)
    if chosen is not None:
        _take(fleet, connection, review, chosen, word.who)


def _marks(review: Json, candidate: Json) -> list[NotThis]:
    """What tells a candidate from others: the identifier in doubt, else its pages."""
    kind = Kind(review["kind"])
    ref = Ref(kind, UUID(candidate["id"]) if review["doubt"] == SHARED_ID else review["subject_id"])
    said = {each["field"]: each["value"] for each in candidate["findings"]}
    named = [name for name in review["fields"] if name in said] or ["external_urls"]
    found = ((name, mark) for name in named for mark in marks(name, said.get(name)))
    return [NotThis(ref, name, mark) for name, mark in found if len(mark.encode()) <= LONGEST]


def _take(fleet: Fleet, connection: Connection, review: Json, chosen: Json, who: str) -> None:
    """What the source says of the chosen candidate is known, and its identifier locked."""
    own = _marks(review, chosen)
    ref = own[0].ref if own else Ref(Kind(review["kind"]), review["subject_id"])
    for mark in own:
        rows.accept(connection, ref, mark.field, [mark.value])
    if review["doubt"] != SHARED_ID:
        now, source = database_now(connection), review["source"]
        said = [
            Statement(each["field"], each["value"], each["confidence"], source, now, f"chosen by {who}")
            for each in chosen["findings"]
            if fleet.permits(source, each["field"])
        ]
        findings.keep(connection, [NewFinding(ref.kind, ref.id, each) for each in said])
    for mark in own:
        if mark.field in review["fields"]:
            _keep(connection, ref, mark.field, mark.value, who)


def _lock_doubtful(connection: Connection, review: Json, value: Any, who: str) -> None:
    """Every subject in doubt keeps what it has; with a value, the review's own subject has that."""
    if not review["fields"]:
        raise BadRequest(f"{review['source']} has no identifier that could be locked; choose one, or none")
    refs = _refs(review) if value is None else {Ref(Kind(review["kind"]), review["subject_id"])}
    subjects = [subject for subject in subject_rows.family(connection, refs) if subject.ref in refs]
    for field in review["fields"]:
        having = [subject for subject in subjects if value is not None or field in subject.values]
        for subject in having or subjects:
            _lock(connection, subject, field, value, who)


# --- locking --------------------------------------------------------------------------------------------------------


def lock(fleet: Fleet, kind: Kind, given: str, field: str, *, who: str, value: Any = None) -> Json:
    """A field has this value (else its present one) for ever, whatever sources say. Texts may hold JSON.

    given: the subject's id, the producer's or ours. Returns `kind`, `id`, `field`, `value`, `locked_by`. Raises Unknown
    for a subject that nobody knows, BadRequest for a field that it cannot have and a value that the field cannot have,
    Conflict where there is no value to be locked.
    """
    _check_field(kind, field)
    value = _sound(value)

    def work(connection: Connection) -> tuple[Any, Advanced]:
        subject, subjects = _locked_subject(connection, kind, given)
        locked = _lock(connection, subject, field, value, who)
        return locked, _plan_again(fleet, connection, subjects, [subject.ref])

    with audited(fleet, who, "lock", f"{kind} {given}", field=field, value=value):
        locked = _done(fleet, work)
    return {"kind": str(kind), "id": given, "field": field, "value": locked, "locked_by": who}


def unlock(fleet: Fleet, kind: Kind, given: str, field: str, *, who: str) -> bool:
    """What sources say of a field counts again. Returns whether it was locked. Raises Unknown and BadRequest."""
    _check_field(kind, field)

    def work(connection: Connection) -> tuple[bool, Advanced]:
        subject, subjects = _locked_subject(connection, kind, given)
        was_locked = findings.unlock(connection, subject.ref, field)
        return was_locked, _plan_again(fleet, connection, subjects, [subject.ref])

    with audited(fleet, who, "unlock", f"{kind} {given}", field=field):
        return _done(fleet, work)


def _check_field(kind: Kind, field: str) -> None:
    if field in NAMES[kind]:
        raise BadRequest(f"field: {field} is the producer's; hand it in anew")
    if field not in lockable(kind):
        raise Unknown(f"field: {field!r} is no field of a {kind}; there are {', '.join(lockable(kind))}")


def lockable(kind: Kind) -> list[str]:
    """The fields that a person may lock."""
    return [name for name in FIELDS[kind] if name not in NAMES[kind]]


def _locked_subject(connection: Connection, kind: Kind, given: str) -> tuple[Subject, list[Subject]]:
    """The subject, and it with its parents: their rows are locked."""
    ref = by_text(connection, kind, given)
    subjects = subject_rows.lock(connection, [ref]) if ref is not None else []
    for subject in subjects:
        if subject.ref == ref:
            return subject, subjects
    raise Unknown(f"{kind}_id: {given!r} is not known")


def _lock(connection: Connection, subject: Subject, field: str, value: Any, who: str) -> Any:
    if value is None and field not in subject.values:
        raise Conflict(f"value: {field} has none yet; give one")
    said = subject.values[field] if value is None else _clean(subject.ref.kind, field, value)
    _keep(connection, subject.ref, field, said, who)
    return said


def _keep(connection: Connection, ref: Ref, field: str, value: Any, who: str) -> None:
    """A person's word, also against what was rejected before; other open doubts about the field are over."""
    rows.accept(connection, ref, field, marks(field, value))
    findings.lock(connection, ref, field, value, who)
    rows.drop_answered(connection, [Known(ref.id, field=field)])


def _clean(kind: Kind, field: str, value: Any) -> Any:
    said = clean_value(kind, field, _read(kind, field, value))
    if said is None or (isinstance(said, int) and abs(said) > LARGEST):
        raise BadRequest(f"value: {field} takes a value of type {FIELDS[kind][field].type.__name__}")
    if isinstance(said, str) and field != "biography" and len(said.encode()) > LONGEST:
        raise BadRequest(f"value: {field} takes at most {LONGEST} bytes")
    return said


def _sound(value: Any) -> Any:
    """As the database can keep it. Raises BadRequest."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadRequest("value: holds half a character, or what is no number") from error
    return without_nul(value)


def _read(kind: Kind, field: str, value: Any) -> Any:
    """What stands in a text, where the field is none."""
    if not isinstance(value, str) or FIELDS[kind][field].type is str:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


# --- what follows ---------------------------------------------------------------------------------------------------


def _plan_again(fleet: Fleet, connection: Connection, subjects: Sequence[Subject], refs: Collection[Ref]) -> Advanced:
    """As if somebody had asked for them now: new identifiers lead to new lookups."""
    there = [subject.ref for subject in subjects if subject.ref in refs]
    subject_rows.want(connection, [Wish(ref, tuple(sorted(WANTED[ref.kind])), PRIORITY) for ref in there])
    subject_rows.refresh_standings(connection, subjects)
    return advance(fleet, connection, subjects, there)


def _done(fleet: Fleet, work: Callable[[Connection], tuple[T, Advanced]]) -> T:
    result, advanced = in_transaction(fleet.engine, work)
    fleet.tally.add(advanced.counted.take())
    refill_all(fleet, advanced.sources)
    if advanced.critical:
        replan_critical(fleet)
    return result
