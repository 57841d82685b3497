"""Intake: what producers hand in under a task's name, whoever brings it: a worker, the journal, a person's replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from enrichment.domain.orders import Order
from enrichment.services.artwork import request_artwork
from enrichment.services.calls import CALLS, Call, ImportEvents
from enrichment.services.fleet import Fleet
from enrichment.services.requests import AlbumRequest, BadRequest, PerformerRequest, Request, TrackRequest, read
from enrichment.services.submit import submit_all

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order, or one item of a list, that cannot be taken, and why."""

    order: Order
    error: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an order: a sentence for people who watch tasks, and what could not be taken."""

    said: str
    refused: tuple[Refusal, ...] = ()


def take(fleet: Fleet, order: Order) -> Taken:
    """Submits what is asked for; twice is once. Raises sqlalchemy.exc.DBAPIError where the database is away."""
    try:
        return _handler(order.task)(fleet, order)
    except BadRequest as error:
        return Taken(f"refused: {error}", (Refusal(order, str(error)),))


def check(order: Order) -> None:
    """Raises BadRequest for an order of one subject that cannot be read; what it names is not looked up."""
    _handler(order.task)
    if order.task in _ONE:
        _read(_ONE[order.task], order)
    elif order.task in CALLS:
        _called(order)


def order_of(kept: Mapping[str, Any], id_: str | None = None) -> Order:
    """The order in what a dead letter keeps. Raises BadRequest where there is none."""
    task, args, kwargs = kept.get("task"), kept.get("args", []), kept.get("kwargs", {})
    if not isinstance(task, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise BadRequest("task, args and kwargs cannot be read from it; edit it first")
    return Order(task, args, kwargs, id_)


_ONE: Mapping[str, type[Request]] = {
    "enrich_track": TrackRequest,
    "enrich_performer": PerformerRequest,
    "enrich_album": AlbumRequest,
}
_BY_ID = {"enrich_performer": "performer_id", "enrich_album": "album_id"}
"""Tasks whose single positional argument is the subject's id."""


def _read(model: type[Request], order: Order) -> Request:
    args, given = list(order.args), order.given
    by_id = _BY_ID.get(order.task)
    if by_id and len(args) == 1 and by_id not in given:
        given[by_id] = args.pop()
    if args:
        raise BadRequest("takes keywords only")
    return read(model, given)


def _handler(task: str) -> Callable[[Fleet, Order], Taken]:
    if task not in HANDLERS:
        raise BadRequest(f"no task of the name {task!r}; there are {', '.join(HANDLERS)}")
    return HANDLERS[task]


def _take_one(fleet: Fleet, order: Order) -> Taken:
    request = _read(_ONE[order.task], order)
    if isinstance(request, TrackRequest):
        log.info("Track enrichment requested", track_id=request.track_id, correlation_id=order.trace_id)
    (accepted,) = submit_all(fleet, [request], [order.id])
    if accepted.ref is None:
        raise BadRequest(accepted.error)
    return Taken(f"{accepted.ref.kind} {accepted.ref.id} accepted")


def _take_list(fleet: Fleet, order: Order) -> Taken:
    """Bad ones are refused each, the others go on."""
    args, given = list(order.args), order.given
    tracks = given.pop("tracks", None) if not args else args.pop(0)
    if not isinstance(tracks, list) or args or given:
        raise BadRequest("takes one list of tracks")
    refused = take_tracks(fleet, [_item(order, position, track) for position, track in enumerate(tracks)])
    return Taken(f"{len(tracks) - len(refused)} of {len(tracks)} tracks accepted", tuple(refused))


def take_tracks(fleet: Fleet, orders: Sequence[Order]) -> list[Refusal]:
    """Submits many orders of one track each; returns those that cannot be taken, the others go on.

    Raises sqlalchemy.exc.DBAPIError where the database is away; then some may have been submitted.
    """
    requests: list[tuple[Order, Request]] = []
    refused: list[Refusal] = []
    for order in orders:
        try:
            requests.append((order, read(TrackRequest, order.given)))
        except BadRequest as error:
            refused.append(Refusal(order, str(error)))
    accepted = submit_all(fleet, [request for _, request in requests], [order.id for order, _ in requests])
    for (order, _), outcome in zip(requests, accepted, strict=True):
        if outcome.error:
            refused.append(Refusal(order, outcome.error))
    return refused


def _item(order: Order, position: int, track: Any) -> Order:
    given = track if isinstance(track, dict) else {"track": track}
    return Order("enrich_track", (), given, f"{order.id}/{position}" if order.id else None)


def _take_artwork(fleet: Fleet, order: Order) -> Taken:
    try:
        return Taken(request_artwork(fleet, *order.args, **order.given, request_id=order.id))
    except TypeError as error:
        raise BadRequest(str(error)) from error


def _called(order: Order) -> Call:
    model = CALLS[order.task]
    names = list(model.model_fields)[: len(order.args)]
    if len(names) < len(order.args) or order.given.keys() & set(names):
        raise BadRequest(f"takes {', '.join(model.model_fields)}, each once")
    return read(model, {**dict(zip(names, order.args, strict=True)), **order.given})


def _take_call(fleet: Fleet, order: Order) -> Taken:
    call = _called(order)
    if not isinstance(call, ImportEvents):
        return Taken(call.take(fleet, order.id))
    imported = call.imported(fleet, order.id)
    rejected = (
        Refusal(Order(order.task, (), {**order.given, "events": [call.events[row - 1]]}), error)
        for row, error in imported.rejected
    )
    return Taken(str(imported.shown()), tuple(rejected))


HANDLERS: Mapping[str, Callable[[Fleet, Order], Taken]] = {
    **dict.fromkeys(_ONE, _take_one),
    **dict.fromkeys(CALLS, _take_call),
    "enrich_tracks": _take_list,
    "fetch_artwork": _take_artwork,
}
"""One for each of `orders.TASKS`."""
