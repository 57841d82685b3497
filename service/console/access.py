"""Keys of upstreams, access tokens, the audit: for who may do everything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from enrichment.services import audit, keys, sessions, tokens
from enrichment.services.audit import audited
from enrichment.services.requests import BadRequest
from enrichment.services.tokens import Scope
from service.console.render import back, page
from service.console.viewer import Admin, Form

PAGE = 100

router = APIRouter()


# --- keys -----------------------------------------------------------------------------------------------------------


@router.get("/keys")
def all_keys(request: Request, viewer: Admin) -> Response:
    """Every key that a source knows, and where it is from. Never more than its last four characters."""
    return page(request, "keys.html", section="keys", keys=keys.listed(viewer.fleet))


@router.post("/keys/rotate")
def rotate(request: Request, form: Form, viewer: Admin) -> Response:
    """All stored keys are sealed with the first master key."""
    del form
    with audited(viewer.fleet, viewer.who, "rotate keys", "master key"):
        count = keys.rotate(viewer.fleet)
    return back(request, f"Sealed with the first master key: {count}.")


@router.post("/keys/{name}")
def set_key(name: str, request: Request, form: Form, viewer: Admin) -> Response:
    """Stored, sealed; running workers have it within seconds."""
    with audited(viewer.fleet, viewer.who, "set key", name):
        sources = keys.put(viewer.fleet, name, form.text("value"))
    return back(request, f"{name} is stored; {', '.join(sources)} will have it within seconds. Try it with “Test”.")


@router.post("/keys/{name}/test")
def test(name: str, request: Request, form: Form, viewer: Admin) -> Response:
    """One call to each of its upstreams, within their limits."""
    del form
    with audited(viewer.fleet, viewer.who, "test key", name):
        tried = keys.test(viewer.fleet, name)
    verdicts = {True: "opens", False: "does not open", None: "could not be tried at"}
    said = " ".join(f"{name} {verdicts[each.opens]} {each.source}: {each.said}." for each in tried)
    return back(request, said, bad=not all(each.opens for each in tried))


@router.post("/keys/{name}/remove")
def remove(name: str, request: Request, form: Form, viewer: Admin) -> Response:
    """Forgotten; what the environment says counts again."""
    del form
    with audited(viewer.fleet, viewer.who, "remove key", name):
        removed = keys.remove(viewer.fleet, name)
    return back(request, f"{name} is removed." if removed else f"{name} is not stored.", bad=not removed)


# --- tokens ---------------------------------------------------------------------------------------------------------


@router.get("/tokens")
def all_tokens(request: Request, viewer: Admin) -> Response:
    """Every token there ever was."""
    return page(
        request, "tokens.html", section="tokens", tokens=tokens.listed(viewer.fleet), scopes=list(Scope), made=None
    )


@router.post("/tokens")
def make(request: Request, form: Form, viewer: Admin) -> Response:
    """A new one, shown this once; with a password it opens the console by its name too."""
    name, days, password = form.text("name"), form.numbers("days"), form.text("password")
    scopes = [Scope(each) for each in form.all("scope") if each in set(Scope)]
    if not name or not scopes:
        raise BadRequest("A token needs a name and at least one scope.")
    if password:
        sessions.check_password(password)
    with audited(viewer.fleet, viewer.who, "make token", name, scopes=scopes):
        made = tokens.make(viewer.fleet, name, scopes, days[-1] if days else None)
        if password:
            sessions.set_password(viewer.fleet, made.number, password)
    return page(
        request, "tokens.html", section="tokens", tokens=tokens.listed(viewer.fleet), scopes=list(Scope), made=made
    )


@router.post("/tokens/{number:int}/revoke")
def revoke(number: int, request: Request, form: Form, viewer: Admin) -> Response:
    """It opens nothing any more, and ends who is signed in by it."""
    del form
    with audited(viewer.fleet, viewer.who, "revoke token", str(number)):
        revoked = tokens.revoke(viewer.fleet, str(number))
    return back(
        request, f"Token {number} is revoked." if revoked else f"Token {number} opens nothing.", bad=not revoked
    )


# --- audit ----------------------------------------------------------------------------------------------------------


@router.get("/audit")
def the_audit(
    request: Request,
    viewer: Admin,
    target: str = "",
    who: str = "",
    below: Annotated[int | None, Query(ge=1, lt=2**53)] = None,
) -> Response:
    """What was done by hand, by whom, and what came of it."""
    found = audit.entries(viewer.fleet, target or None, who or None, most=PAGE, below=below)
    following = found[-1]["id"] if len(found) == PAGE else None
    shown = {"target": target, "who": who}
    return page(request, "audit.html", section="audit", entries=found, shown=shown, below=below, following=following)
