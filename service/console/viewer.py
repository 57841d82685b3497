"""Who looks at the console: a session in a cookie, scopes, and forms that only our own pages can send."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, HTTPException, Request, Response

from enrichment.services import sessions
from enrichment.services.fleet import Fleet
from enrichment.services.tokens import Caller, Scope, digest
from service.context import of

COOKIE = "linernotes"
MOST_FIELDS = 5000


class SignInNeeded(Exception):  # noqa: N818 - it is no error
    """Nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is signed in."""

    caller: Caller
    fleet: Fleet

    @property
    def who(self) -> str:
        """As the audit names them."""
        return self.caller.who

    def may(self, scope: str) -> bool:
        """Have they been given this?"""
        return self.caller.may(Scope(scope))


def secret_of(request: Request) -> str:
    """The cookie's; empty where there is none."""
    return request.cookies.get(COOKIE, "")


def remember(request: Request, response: Response, secret: str) -> None:
    """The browser keeps this secret, from scripts and from other sites, until it is closed or the session ends."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(sessions.SESSION_SECONDS),
        path=request.scope["root_path"],
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def csrf_of(secret: str) -> str:
    """What a form must bring along: known to pages that we have rendered for this cookie alone."""
    return digest(f"csrf {secret}").hex()


def needs(scope: Scope) -> Any:
    """A parameter's default: the viewer, who has this scope. Raises SignInNeeded, and HTTPException 403."""

    def check(request: Request) -> Viewer:
        fleet = of(request).fleet
        caller = sessions.caller_of(fleet, secret) if (secret := secret_of(request)) else None
        if caller is None:
            raise SignInNeeded
        viewer = request.state.viewer = Viewer(caller, fleet)
        if not viewer.may(scope):
            raise HTTPException(403, f"Your token is without the scope {scope!r}.")
        return viewer

    return Depends(check)


Reader = Annotated[Viewer, needs(Scope.READ)]
Operator = Annotated[Viewer, needs(Scope.OPERATE)]
Admin = Annotated[Viewer, needs(Scope.ADMIN)]


@dataclass(frozen=True, slots=True)
class Posted:
    """The fields of a form."""

    fields: dict[str, list[str]]

    def text(self, name: str) -> str:
        """The last value, without surrounding space; empty where there is none."""
        return self.fields.get(name, [""])[-1].strip()

    def all(self, name: str) -> list[str]:
        """Every value."""
        return self.fields.get(name, [])

    def numbers(self, name: str) -> tuple[int, ...]:
        """Every value that is a number of ours."""
        return tuple(int(each) for each in self.all(name) if each.isascii() and each.isdigit() and len(each) < 19)


async def _posted(request: Request) -> Posted:
    """Raises HTTPException 400 for what is no form, 403 for one that no page of ours has sent."""
    try:
        body = (await request.body()).decode()
        form = Posted(parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(400, "This form cannot be read.") from None
    if not hmac.compare_digest(form.text("csrf").encode(), csrf_of(secret_of(request)).encode()):
        raise HTTPException(403, "This form is from another session. Load its page again.")
    return form


Form = Annotated[Posted, Depends(_posted)]
