"""Schedules: when each runs next, what its last run came to; started out of turn, paused, resumed."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from enrichment.services.audit import audited
from enrichment.services.schedules import NotNow
from service.console.render import back, page
from service.console.viewer import Form, Operator, Reader
from service.context import of

router = APIRouter()
SAID = {"run": "is started; beat brings it on", "pause": "is paused", "resume": "runs by the clock again"}


@router.get("/schedules")
def all_schedules(request: Request, viewer: Reader) -> Response:
    """Every one."""
    del viewer
    return page(request, "schedules.html", section="schedules", schedules=of(request).schedules.all())


@router.post("/schedules/{name}/{act}")
def act(name: str, act: str, request: Request, form: Form, viewer: Operator) -> Response:
    """Run it now, pause it, resume it."""
    del form
    schedules = of(request).schedules
    acts = {"run": schedules.start, "pause": schedules.pause, "resume": schedules.resume}
    if act not in acts:
        raise HTTPException(404, f"Nobody can {act} a schedule.")
    try:
        with audited(viewer.fleet, viewer.who, f"{act} schedule", name):
            acts[act](name)
    except NotNow as error:
        return back(request, f"{error}.", bad=True)
    except KeyError:
        raise HTTPException(404, f"There is no schedule {name!r}.") from None
    return back(request, f"{name} {SAID[act]}.")
