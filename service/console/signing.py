"""Signing in and out."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

from fastapi import APIRouter, Request, Response

from enrichment.services import sessions
from enrichment.services.fleet import Fleet
from service.console.render import page, to
from service.console.viewer import Form, Posted, remember, secret_of
from service.context import of

TRIES, TRIES_SECONDS = 10, 900.0
"""Wrong passwords that one name may have, and in how long."""
NAMES = 1000

router = APIRouter()


class Tries:
    """Wrong passwords of each name, lately. Trying one takes time and memory, so few are tried at once."""

    def __init__(self, most: int = TRIES) -> None:
        """most: that one name may have."""
        self._most = most
        self._failed: dict[str, deque[float]] = defaultdict(deque)
        self._working = threading.BoundedSemaphore(2)

    def sign_in(self, fleet: Fleet, name: str, password: str) -> str | None:
        """The secret of a session. Raises TooMany."""
        failed = self._failed[name]
        while failed and failed[0] < time.monotonic() - TRIES_SECONDS:
            failed.popleft()
        if len(failed) >= self._most:
            raise TooMany
        with self._working:
            secret = sessions.by_password(fleet, name, password)
        if secret is None:
            failed.append(time.monotonic())
            if len(self._failed) > NAMES:
                self._failed.clear()
        else:
            self._failed.pop(name, None)
        return secret


class TooMany(Exception):  # noqa: N818 - there is no error but too many
    """Somebody is guessing."""


@router.get("/sign-in")
def sign_in_page(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """By a token, or by its name and a password."""
    # The form's token belongs to a cookie; who has none yet is given one that opens nothing.
    if secret_of(request):
        return page(request, "sign_in.html", section=None, next=next)
    secret = sessions.new_secret()
    response = to(request, f"sign-in?next={next}" if next else "sign-in")
    remember(request, response, secret)
    return response


@router.post("/sign-in")
def sign_in(request: Request, form: Form) -> Response:
    """A new session, whatever was in the cookie before."""
    tries: Tries = request.app.state.tries
    try:
        secret = _secret(of(request).fleet, form, tries)
        said = "That opens nothing here. Mind that a password must have been set for its token."
    except TooMany:
        secret, said = None, "Too many wrong passwords for this name. Try again in a quarter of an hour."
    if secret is None:
        return to(request, "sign-in", said, bad=True)
    response = to(request, _place(form.text("next")))
    remember(request, response, secret)
    return response


def _secret(fleet: Fleet, form: Posted, tries: Tries) -> str | None:
    if token := form.text("token"):
        return sessions.by_token(fleet, token)
    return tries.sign_in(fleet, form.text("name"), form.text("password"))


def _place(path: str) -> str:
    """Within the console, whatever the address said."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else ""


@router.post("/sign-out")
def sign_out(request: Request, form: Form) -> Response:
    """The session opens nothing any more."""
    del form
    sessions.sign_out(of(request).fleet, secret_of(request))
    response = to(request, "sign-in", "You are signed out.")
    remember(request, response, sessions.new_secret())
    return response
