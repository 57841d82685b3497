"""The dead-letter queue as people act on it: found, shown, edited, asked again, dropped, purged."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import Any

from sqlalchemy import Connection

from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind, Lane
from enrichment.reservoir import dead_letters as rows
from enrichment.reservoir.dead_letters import Again, Asked, Filter
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.reservoir.subjects import reopen
from enrichment.services import intake
from enrichment.services.fleet import Fleet
from enrichment.services.refill import refill_all
from enrichment.services.requests import BadRequest, Unknown
from enrichment.services.submit import by_text

CHUNK = 500
SHOWN_BYTES = 20_000
"""Of a raw message; the whole of it stays in the table."""
CLOSED = ("replayed", "dropped")
"""States in which a letter has been dealt with."""
_UTF8 = codecs.getincrementaldecoder("utf-8")
PRIORITY_ON = {Lane.CRITICAL: 10, Lane.DEFAULT: 5, Lane.LOW_PRIORITY: 2}


def about(fleet: Fleet, which: Filter, subject: str) -> Filter:
    """The filter, narrowed to a subject by the producer's id or ours. Raises Unknown for one that nobody knows."""

    def read(connection: Connection) -> tuple[Any, ...]:
        return tuple(ref.id for kind in Kind if (ref := by_text(connection, kind, subject)) is not None)

    found = in_transaction(fleet.engine, read)
    if not found:
        raise Unknown(f"no subject has the id {subject!r}, neither the producer's nor ours")
    return replace(which, subjects=found)


def letters(
    fleet: Fleet, which: Filter | None = None, *, most: int = 100, below: int | None = None
) -> list[dict[str, Any]]:
    """The newest such letters, open ones where nothing else is said. below: for the next page, the last one's id."""
    with at_once(fleet.engine) as connection:
        found = rows.listed(connection, which or Filter(), most=most, below=below)
    return [{**each, "error": _hidden(fleet, each["error"])} for each in found]


def letter(fleet: Fleet, number: int) -> dict[str, Any] | None:
    """One letter, secrets removed; None where there is none of this number.

    `request`: what was asked. `edited`: what a person put in its place. `reply`: the beginning of the upstream's.
    `body`: the beginning of a raw message, of `body_bytes` bytes. `tried`: what each attempt came to. `trace_id`: the
    producer's correlation id, else the message's own.
    """
    with at_once(fleet.engine) as connection:
        found = rows.shown(connection, number, SHOWN_BYTES)
    if found is None:
        return None
    return {name: _hidden(fleet, _text(value)) for name, value in found.items()}


def _text(value: Any) -> Any:
    """Bytes as the text they are, also where it was cut within a character; others as they are."""
    if not isinstance(value, bytes | memoryview):
        return value
    try:
        return _UTF8().decode(bytes(value))
    except UnicodeDecodeError:
        return bytes(value)


def _hidden(fleet: Fleet, value: Any) -> Any:
    """Without the keys of any source."""
    if isinstance(value, str):
        for source in fleet.sources:
            value = fleet.wire.place(source).hidden(value)
        return value
    if isinstance(value, list):
        return [_hidden(fleet, each) for each in value]
    if isinstance(value, dict):
        return {name: _hidden(fleet, each) for name, each in value.items()}
    return value


# --- edit -----------------------------------------------------------------------------------------------------------


def edit(
    fleet: Fleet, number: int, change: Mapping[str, Any], *, whole: bool = False, task: str | None = None
) -> dict[str, Any]:
    """Puts something else in place of what was asked; it is what a replay takes. Returns what it is now.

    change: of a lookup its keys, of a message its keywords. whole: change is all there is (of a message: `task`,
    `args`, `kwargs`), instead of what differs. task: that the message should have named. Raises Unknown where there is
    no such open letter, and BadRequest where the result could not be asked.
    """
    with at_once(fleet.engine) as connection:
        asked = rows.asked(connection, number)
    if asked is None:
        raise Unknown(f"there is no open dead letter {number}")
    if asked.what == "lookup":
        edited = _edited_keys(asked.given, change, whole=whole, task=task)
        _check_keys(fleet, asked, edited)
    else:
        edited = _edited_message(asked.given, change, whole=whole, task=task)
        intake.check(intake.order_of(edited))
    stored = in_transaction(fleet.engine, lambda connection: rows.edit(connection, number, edited))
    if stored is None:
        raise Unknown(f"dead letter {number} is not open any more")
    return stored


def _edited_keys(
    kept: Mapping[str, Any], change: Mapping[str, Any], *, whole: bool, task: str | None
) -> dict[str, Any]:
    if task is not None:
        raise BadRequest("task: a lookup has none")
    if whole:
        return dict(change)
    return {**kept, **{name: _as_before(kept.get(name), value) for name, value in change.items()}}


def _as_before(before: Any, value: Any) -> Any:
    """A text from the command line in the type of what it replaces."""
    if before is None or isinstance(before, str) or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _check_keys(fleet: Fleet, asked: Asked, keys: Mapping[str, Any]) -> None:
    question = _question(fleet, asked)
    missing = [need for need in question.needs if not keys.get(need)] if question is not None else []
    if missing:
        raise BadRequest(f"{asked.source}.{asked.question} needs {', '.join(missing)}")


def _question(fleet: Fleet, letter: Asked | Again) -> Question | None:
    named = (q for q in fleet.questions.get(letter.source or "", ()) if q.name == letter.question)
    return next(named, None)


def _edited_message(
    kept: Mapping[str, Any], change: Mapping[str, Any], *, whole: bool, task: str | None
) -> dict[str, Any]:
    if whole:
        return dict(change) | ({"task": task} if task else {})
    given = kept.get("kwargs")
    kwargs = {**(given if isinstance(given, dict) else {}), **change}
    args = kept.get("args")
    return {"task": task or kept.get("task"), "args": args if isinstance(args, list) else [], "kwargs": kwargs}


# --- act ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Replayed:
    """How many letters were asked again, why others could not be, by id, and whether there was no time for some."""

    done: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    more: bool = False


def replay(
    fleet: Fleet, which: Filter, *, lane: Lane | None = None, per_second: float | None = None, patience: float = inf
) -> Replayed:
    """Asks again what these open letters asked, as edited last; subjects take the answers in. Twice is once.

    lane: instead of the one it was on. per_second: no faster than that. Lookups are put in line ahead of time, each
    with its moment; messages are handed in one by one, which takes as long. patience: seconds for that; messages that
    are left then stay open.
    """
    until = fleet.monotonic() + patience
    priority = PRIORITY_ON[lane] if lane is not None else None
    spacing = 1 / per_second if per_second else 0.0
    come = Replayed()
    for ids in _chunks(fleet, which):
        asked = _ask_again(fleet, ids, priority, spacing, come.done)
        come.done += asked
        for number in ids if asked < len(ids) else ():
            if fleet.monotonic() + spacing > until:
                come.more = True
                return come
            _hand_in_again(fleet, number, priority, spacing, come)
    return come


def _ask_again(fleet: Fleet, ids: Sequence[int], priority: int | None, spacing: float, before: int) -> int:
    def work(connection: Connection) -> Sequence[Again]:
        again = rows.open_lookups(connection, ids)
        batch_keys = {each.id: _batch_key(fleet, each) for each in again if each.edited}
        rows.ask_again(connection, again, batch_keys, priority=priority, spacing=spacing, first=before)
        reopen(connection, [each.subject_id for each in again])
        return again

    again = in_transaction(fleet.engine, work)
    refill_all(fleet, {each.source for each in again})
    return len(again)


def _batch_key(fleet: Fleet, letter: Again) -> str:
    question = _question(fleet, letter)
    return question.batch_by(letter.keys) if question is not None else ""


def _hand_in_again(fleet: Fleet, number: int, priority: int | None, spacing: float, come: Replayed) -> None:
    with at_once(fleet.engine) as connection:
        asked = rows.asked(connection, number)
    if asked is None or asked.what != "message":
        return
    if spacing and come.done:
        fleet.sleep(spacing)
    try:
        # The id makes it once, also where we fall between the two transactions.
        order = intake.order_of(asked.given, f"dead letter {number}")
        taken = intake.take(fleet, order.on(priority))
    except BadRequest as error:
        come.refused[number] = str(error)
        return
    if taken.refused:
        come.refused[number] = "; ".join(each.error for each in taken.refused)
        return
    in_transaction(fleet.engine, lambda connection: rows.replayed(connection, [number]))
    come.done += 1


def drop(fleet: Fleet, which: Filter, reason: str) -> int:
    """Closes these open letters, with a reason. Returns how many."""
    return _each(fleet, which, lambda ids, connection: len(rows.drop(connection, ids, reason)))


def purge(fleet: Fleet, older: float, states: Collection[str] = CLOSED) -> int:
    """Deletes letters in these states for good, those written more than so many seconds ago. Returns how many."""
    which = [Filter(state=state, older=older) for state in states]
    return sum(_each(fleet, each, lambda ids, connection: rows.purge(connection, ids)) for each in which)


def _each(fleet: Fleet, which: Filter, act: Callable[[Collection[int], Connection], int]) -> int:
    return sum(in_transaction(fleet.engine, partial(act, ids)) for ids in _chunks(fleet, which))


def _chunks(fleet: Fleet, which: Filter) -> Iterator[Sequence[int]]:
    """The letters that are there now, some at a time; those that come meanwhile are left alone."""
    with at_once(fleet.engine) as connection:
        until = rows.newest(connection)
    above = 0
    while True:
        with at_once(fleet.engine) as connection:
            ids = rows.numbers(connection, which, most=CHUNK, above=above, until=until)
        if not ids:
            return
        yield ids
        above = ids[-1]
