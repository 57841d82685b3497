"""Who may do what: a bearer token with scopes; nothing by cookie, so no page of another site can act for anybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from enrichment.services.tokens import Caller, Scope
from service.context import METRICS, of

bearer = HTTPBearer(auto_error=False, description="An access token, as `linernotes tokens make` prints it.")
Given = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


def allowed(caller: Caller | None, *scopes: Scope, anonymous: bool) -> Caller:
    """The caller, if it has one of these scopes. Raises HTTPException 401 or 403."""
    if caller is None or (anonymous and not any(caller.may(scope) for scope in scopes)):
        raise HTTPException(401, "an access token is needed", {"WWW-Authenticate": "Bearer"})
    if not any(caller.may(scope) for scope in scopes):
        raise HTTPException(403, f"the token's scopes are without {' and '.join(scopes)}")
    return caller


def needs(*scopes: Scope) -> Any:
    """A parameter's default: the caller, who has one of these scopes."""

    async def check(request: Request, given: Given) -> Caller:
        secret = given.credentials if given is not None else None
        return allowed(await of(request).caller(secret), *scopes, anonymous=secret is None)

    return Depends(check)


async def metrics_allowed(request: Request, given: Given) -> None:
    """`read`, unless the operator has opened the metrics to all."""
    if METRICS not in of(request).open_to_all:
        check: Callable[..., Awaitable[Caller]] = needs(Scope.READ).dependency
        await check(request, given)


Submitter = Annotated[Caller, needs(Scope.SUBMIT)]
Reader = Annotated[Caller, needs(Scope.READ)]
Operator = Annotated[Caller, needs(Scope.OPERATE)]
Admin = Annotated[Caller, needs(Scope.ADMIN)]
