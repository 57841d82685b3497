"""Reviews: which candidate a subject is, decided by hand, with keys if wanted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from enrichment.services import report, reviews
from enrichment.services.fleet import Fleet
from enrichment.services.reviews import Decision
from enrichment.services.tokens import Scope
from service.console.render import page, to
from service.console.viewer import Form, Operator, Reader

PAGE = 50

router = APIRouter()
Below = Annotated[int | None, Query(ge=1, lt=2**53)]


@router.get("/reviews")
def all_reviews(
    request: Request,
    viewer: Reader,
    state: Annotated[str, Query(pattern="^(open|decided)$")] = "open",
    below: Below = None,
) -> Response:
    """The newest first."""
    found = reviews.listed(viewer.fleet, state=state, most=PAGE, below=below)
    following = found[-1]["id"] if len(found) == PAGE else None
    shown = {"state": state}
    return page(
        request, "reviews.html", section="reviews", reviews=found, shown=shown, below=below, following=following
    )


@router.get("/reviews/{number:int}")
def review(number: int, request: Request, viewer: Reader) -> Response:
    """One, with its candidates side by side."""
    found = reviews.shown(viewer.fleet, number)
    subject = report.subject_report(viewer.fleet, found["kind"], found["subject_id"])
    return page(
        request,
        "review.html",
        section="reviews",
        review=found,
        known=subject["fields"] if subject else {},
        can_decide=found["state"] == "open" and viewer.may(Scope.OPERATE),
    )


@router.get("/reviews/{number:int}/next")
def following(number: int, request: Request, viewer: Reader) -> Response:
    """The open one before this one, or the first again."""
    return to(request, _next(viewer.fleet, number))


def _next(fleet: Fleet, number: int) -> str:
    found = reviews.listed(fleet, most=1, below=number) or reviews.listed(fleet, most=1)
    return f"reviews/{found[0]['id']}" if found else "reviews"


@router.post("/reviews/{number:int}")
def decide(number: int, request: Request, form: Form, viewer: Operator) -> Response:
    """A person's word; then the next one."""
    chosen = form.text("candidate")
    decision = Decision.CHOOSE if chosen else Decision.NONE
    decided = reviews.decide(viewer.fleet, number, decision, who=viewer.who, candidate=chosen or None)
    said = f"{decided['name']}: {'decided' if chosen else 'none of them'}."
    return to(request, _next(viewer.fleet, number), said)
