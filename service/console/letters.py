"""Dead letters: found, shown, edited, asked again, dropped."""

from __future__ import annotations

import difflib
import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from enrichment.domain.subjects import Lane
from enrichment.reservoir.dead_letters import Filter
from enrichment.services import dead_letters, overview
from enrichment.services.audit import audited
from enrichment.services.requests import BadRequest
from service.console.render import back, page, to
from service.console.viewer import Form, Operator, Posted, Reader

PAGE = 50
PATIENCE_SECONDS = 20.0
STATES = ("open", "replayed", "dropped")

router = APIRouter()


@router.get("/letters")
def letters(
    request: Request,
    viewer: Reader,
    *,
    state: Annotated[str, Query(pattern="^(open|replayed|dropped)$")] = "open",
    source: str = "",
    outcome: str = "",
    error: str = "",
    below: Annotated[int | None, Query(ge=1, lt=2**53)] = None,
) -> Response:
    """The newest first; beside them how many there are of each source and outcome."""
    shown = {"state": state, "source": source, "outcome": outcome, "error": error}
    found = dead_letters.letters(viewer.fleet, _filter(shown), most=PAGE, below=below)
    return page(
        request,
        "letters.html",
        section="letters",
        letters=found,
        shown=shown,
        below=below,
        following=found[-1]["id"] if len(found) == PAGE else None,
        groups=overview.letters_by_source(viewer.fleet, state),
        states=STATES,
    )


def _filter(shown: dict[str, str]) -> Filter:
    source = shown["source"]
    return Filter(
        state=shown["state"],
        what="message" if source == "message" else None,
        source=source if source and source != "message" else None,
        outcome=shown["outcome"] or None,
        error=shown["error"] or None,
    )


def _chosen(form: Posted) -> Filter:
    """The ticked letters, or all that the page's filter finds. Raises BadRequest where none is meant."""
    if form.text("all"):
        return _filter({name: form.text(name) for name in ("source", "outcome", "error")} | {"state": "open"})
    ids = form.numbers("id")
    if not ids:
        raise BadRequest("Tick the letters first.")
    return Filter(ids=ids)


@router.post("/letters/replay")
def replay(request: Request, form: Form, viewer: Operator) -> Response:
    """Their questions are asked again, as edited last."""
    which = _chosen(form)
    lane = Lane(form.text("lane")) if form.text("lane") in set(Lane) else None
    with audited(viewer.fleet, viewer.who, "replay", "dead letters", **_told(which)):
        come = dead_letters.replay(viewer.fleet, which, lane=lane, patience=PATIENCE_SECONDS)
    refused = "".join(f" {number}: {why}." for number, why in list(come.refused.items())[:3])
    more = " There was no time for all of them; replay the rest." if come.more else ""
    return back(request, f"Replayed: {come.done}.{refused}{more}", bad=bool(come.refused))


@router.post("/letters/drop")
def drop(request: Request, form: Form, viewer: Operator) -> Response:
    """Closed without asking again."""
    which, reason = _chosen(form), form.text("reason") or "dropped by hand"
    with audited(viewer.fleet, viewer.who, "drop", "dead letters", reason=reason, **_told(which)):
        dropped = dead_letters.drop(viewer.fleet, which, reason)
    return back(request, f"Dropped: {dropped}.")


def _told(which: Filter) -> dict[str, Any]:
    _, values = which.where()
    return values


@router.get("/letters/{number:int}")
def letter(number: int, request: Request, viewer: Reader) -> Response:
    """One letter, whole."""
    found = dead_letters.letter(viewer.fleet, number) if number < 2**53 else None
    if found is None:
        raise HTTPException(404, f"There is no dead letter {number}.")
    return _shown(request, found)


def _shown(request: Request, found: dict[str, Any], given: str = "", problem: str = "") -> Response:
    asked = found["request"].get("keys", found["request"])
    edited = found["edited"] if found["edited"] is not None else asked
    return page(
        request,
        "letter.html",
        422 if problem else 200,
        section="letters",
        letter=found,
        asked=asked,
        given=given or _text(edited),
        diff=_diff(asked, edited) if edited != asked else [],
        problem=problem,
    )


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _diff(before: Any, after: Any) -> list[tuple[str, str]]:
    """(" ", "-" or "+", the line) of both as JSON."""
    lines = difflib.ndiff(_text(before).splitlines(), _text(after).splitlines())
    return [(line[0], line[2:]) for line in lines if line[0] != "?"]


@router.post("/letters/{number:int}/edit")
def edit(number: int, request: Request, form: Form, viewer: Operator) -> Response:
    """Something else is to be asked; what is wrong with it is told beside it."""
    given = form.text("given")
    try:
        with audited(viewer.fleet, viewer.who, "edit", f"dead letter {number}"):
            dead_letters.edit(viewer.fleet, number, _read(given), whole=True)
    except BadRequest as error:
        found = dead_letters.letter(viewer.fleet, number)
        if found is None:
            raise HTTPException(404, f"There is no dead letter {number}.") from None
        return _shown(request, found, given, str(error))
    return to(request, f"letters/{number}", "Edited. The difference is shown below; replay it when it is right.")


def _read(given: str) -> dict[str, Any]:
    try:
        found = json.loads(given)
    except ValueError as error:
        raise BadRequest(f"This is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadRequest("This must be an object: { … }.")
    return found
