"""Duplicates: pairs that may be one, merged or rejected by hand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from enrichment.services import merging
from enrichment.services.audit import audited
from enrichment.services.tokens import Scope
from service.console.render import page, to
from service.console.viewer import Form, Operator, Reader

PAGE = 20

router = APIRouter()
Below = Annotated[int | None, Query(ge=1, lt=2**53)]
_DECIDE = {"merge": merging.merge, "reject": merging.reject}


@router.get("/duplicates")
def pairs(
    request: Request,
    viewer: Reader,
    state: Annotated[str, Query(pattern="^(proposed|merged|rejected)$")] = "proposed",
    below: Below = None,
) -> Response:
    """The newest first, each with what speaks for it and against it."""
    found = merging.listed(viewer.fleet, state, PAGE, below)
    return page(
        request,
        "duplicates.html",
        section="duplicates",
        pairs=found,
        shown={"state": state},
        below=below,
        following=found[-1]["id"] if len(found) == PAGE else None,
        can_decide=state == "proposed" and viewer.may(Scope.OPERATE),
    )


@router.post("/duplicates/{number:int}")
def decide(number: int, request: Request, form: Form, viewer: Operator) -> Response:
    """One of the pair, or two for ever."""
    decision = "merge" if form.text("decision") == "merge" else "reject"
    with audited(viewer.fleet, viewer.who, f"{decision} duplicates", str(number)):
        decided = _DECIDE[decision](viewer.fleet, number, viewer.who)
    return to(request, "duplicates", f"Pair {number}: {decided['state']}.")
