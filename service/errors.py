"""Every error as `{"detail": …}`; none repeats what was sent, as that may be no text at all."""

from __future__ import annotations

import re
from typing import Any

import redis
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import HTTPConnection

from enrichment.services.requests import BadRequest, Conflict, Unknown
from service.together import AWAY, Overloaded

RETRY_SECONDS = "5"
NO_TABLES = "42P01"

log = structlog.get_logger()


class Problem(BaseModel):
    """An error in words."""

    detail: str


class Fault(BaseModel):
    """What is wrong with one field."""

    loc: list[str]
    msg: str
    type: str


class Invalid(BaseModel):
    """What is wrong with the input, field by field, or in words."""

    detail: list[Fault] | str


Responses = dict[int | str, dict[str, Any]]
OF_ALL: Responses = {
    400: {"model": Problem, "description": "The body cannot be read"},
    401: {"model": Problem, "description": "No access token, or one that opens nothing"},
    403: {"model": Problem, "description": "The token lacks the scope"},
    413: {"model": Problem, "description": "Too large"},
    422: {"model": Invalid, "description": "Bad input, with the field"},
    503: {"model": Problem, "description": "The database or Redis is away; try again"},
}
"""Responses that every route may give."""
CONFLICT: Responses = {409: {"model": Problem, "description": "What stands is against it"}}
NOT_FOUND: Responses = {404: {"model": Problem, "description": "Nobody knows this id"}}


def install(app: FastAPI) -> None:
    """The handlers."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unknown, _unknown)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(BadRequest, _bad)
    app.add_exception_handler(405, _not_so)
    app.add_exception_handler(Overloaded, _overloaded)
    app.add_exception_handler(redis.RedisError, _away)
    app.add_exception_handler(DBAPIError, _database)
    for away in AWAY:
        app.add_exception_handler(away, _away)


async def each_once(connection: HTTPConnection) -> None:
    """Raises RequestValidationError where the query says something twice: of two values one would not be read."""
    names = [name for name, _ in connection.query_params.multi_items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RequestValidationError(
            [{"loc": ("query", name), "msg": "Given twice", "type": "twice"} for name in twice]
        )


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"loc": [_plain(part) for part in each["loc"]], "msg": _plain(each["msg"]), "type": each["type"]}
        for each in error.errors()
    ]
    return JSONResponse({"detail": faults}, 422)


def _plain(part: object) -> str:
    return str(part)[:300].encode("ascii", "backslashreplace").decode("ascii")


async def _unknown(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": _plain(error)}, 404)


async def _conflict(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": _plain(error)}, 409)


async def _not_so(request: Request, error: Exception) -> JSONResponse:
    """`Allow` with all that the path takes: Starlette names what the first of its routes does."""
    assert isinstance(error, StarletteHTTPException)
    path = re.sub(r":\w+}", "}", getattr(request.scope.get("route"), "path", ""))
    known = request.app.openapi()["paths"].get(path, {})
    allow = {"Allow": ", ".join(sorted(method.upper() for method in known))} if known else error.headers
    return JSONResponse({"detail": error.detail}, 405, allow)


async def _bad(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": _plain(error)}, 422)


async def _overloaded(_: Request, error: Exception) -> JSONResponse:
    del error
    return _later("more requests are coming in than can be accepted")


async def _away(_: Request, error: Exception) -> JSONResponse:
    log.warning("a server is away", error=f"{type(error).__name__}: {error}"[:300])
    return _later("the database or Redis is away")


async def _database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    if error.connection_invalidated:
        return await _away(request, error)
    if getattr(error.orig, "sqlstate", None) == NO_TABLES:
        return _later("the database has no tables yet; `linernotes migrate` makes them")
    log.error("the database refuses a statement", error=str(error.orig)[:300])
    return JSONResponse({"detail": "an error of the service; its log has the details"}, 500)


def _later(detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, 503, {"Retry-After": RETRY_SECONDS})
