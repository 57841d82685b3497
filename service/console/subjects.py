"""Subjects: searched, and each with what is known, who said so, and who was asked."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from enrichment.domain.subjects import FIELDS, NAMES, Kind, Status
from enrichment.reservoir.search import Place
from enrichment.services import report, reviews, search
from enrichment.services.audit import audited, entries
from enrichment.services.requests import AlbumRequest, PerformerRequest, TrackRequest, read
from enrichment.services.requests import Request as Wanted
from enrichment.services.submit import submit
from enrichment.services.tokens import Scope
from service.console.render import back, page, words
from service.console.viewer import Form, Operator, Reader

MANUAL = 10
REQUESTS: dict[Kind, type[Wanted]] = {
    Kind.TRACK: TrackRequest,
    Kind.ALBUM: AlbumRequest,
    Kind.PERFORMER: PerformerRequest,
}

router = APIRouter()


@router.get("/subjects")
def subjects(
    request: Request,
    viewer: Reader,
    *,
    kind: Kind = Kind.TRACK,
    q: str = "",
    status: str = "",
    after: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Found by id, by the beginning of a name, or by how they stand."""
    wanted = Status(status) if status in set(Status) else None
    found = search.subjects(viewer.fleet, kind, q, wanted, _place(after))
    following = f"{found.next[0].isoformat()},{found.next[1]}" if found.next else ""
    shown = {"kind": kind, "q": q, "status": wanted or ""}
    return page(
        request,
        "subjects.html",
        section="subjects",
        found=found.subjects,
        shown=shown,
        after=after,
        following=following,
        kinds=list(Kind),
        statuses=list(Status),
    )


def _place(after: str) -> Place | None:
    moment, _, id_ = after.partition(",")
    try:
        return (datetime.fromisoformat(moment), uuid.UUID(id_)) if after else None
    except ValueError:
        return None


@router.get("/subjects/{kind}/{id}")
def subject(kind: Kind, id: str, request: Request, viewer: Reader) -> Response:  # noqa: A002 - the name in the path
    """What is known, side by side with what each source said."""
    found = report.subject_report(viewer.fleet, kind, id)
    if found is None:
        raise HTTPException(404, f"Nobody knows a {kind} of this id.")
    sayings: dict[str, dict[str, Any]] = {}
    for finding in found["findings"]:
        sayings.setdefault(finding["field"], {})[finding["source"]] = finding
    fields = [name for name in FIELDS[kind] if name in found["fields"] or name in sayings]
    return page(
        request,
        "subject.html",
        section="subjects",
        kind=kind,
        found=found,
        fields=fields,
        sayings=sayings,
        lockable=[name for name in FIELDS[kind] if name not in NAMES[kind]],
        locked={name for name in fields for each in sayings.get(name, {}).values() if each["locked"]},
        sources=sorted({finding["source"] for finding in found["findings"]}),
        history=entries(viewer.fleet, f"{kind} {found['id']}", most=20) if viewer.may(Scope.ADMIN) else [],
    )


@router.post("/subjects/{kind}/{id}/lock")
def lock(kind: Kind, id: str, request: Request, form: Form, viewer: Operator) -> Response:  # noqa: A002 - the name in the path
    """A field has its present value, or the one given, whatever sources say."""
    field, value = form.text("field"), form.text("value")
    reviews.lock(viewer.fleet, kind, id, field, who=viewer.who, value=value or None)
    return back(request, f"{words(field)} is locked.")


@router.post("/subjects/{kind}/{id}/unlock")
def unlock(kind: Kind, id: str, request: Request, form: Form, viewer: Operator) -> Response:  # noqa: A002 - the name in the path
    """What sources say of a field counts again."""
    field = form.text("field")
    reviews.unlock(viewer.fleet, kind, id, field, who=viewer.who)
    return back(request, f"{words(field)} is unlocked.")


@router.post("/subjects/{kind}/{id}/ask-again")
def ask_again(kind: Kind, id: str, request: Request, form: Form, viewer: Operator) -> Response:  # noqa: A002 - the name in the path
    """Every useful source is asked anew, before all others."""
    del form
    with audited(viewer.fleet, viewer.who, "ask again", f"{kind} {id}"):
        wanted = read(REQUESTS[kind], {f"{kind}_id": id, "force_refresh": True, "priority": MANUAL})
        submit(viewer.fleet, wanted)
    return back(request, "Asked again; the answers come in one by one.")
