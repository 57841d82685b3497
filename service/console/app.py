"""The console as an application of its own below `/console`: its errors are pages, and its headers are strict."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import redis
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from enrichment.services.overview import Overview
from enrichment.services.requests import BadRequest, Unknown
from service.console import access, duplicates, letters, overview, reviews, schedules, signing, subjects
from service.console.live import Live
from service.console.render import back, page, to
from service.console.signing import Tries
from service.console.viewer import SignInNeeded
from service.context import Service

PATH = "/console"
LARGEST_FORM = 1024 * 1024

log = structlog.get_logger()


def create(service: Service) -> FastAPI:
    """To be mounted at PATH."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, max_body_size=LARGEST_FORM)
    app.state.service = service
    app.state.live = Live(Overview(service.fleet))
    app.state.tries = Tries()
    for part in (signing, overview, subjects, reviews, duplicates, letters, schedules, access):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(BadRequest, _bad)
    app.add_exception_handler(Unknown, _bad)
    app.add_exception_handler(redis.RedisError, _away)
    app.add_exception_handler(DBAPIError, _away)
    return app


async def _sign_in(request: Request, error: Exception) -> Response:
    del error
    path = request.url.path.removeprefix(request.scope["root_path"])
    is_page = request.method == "GET" and path not in ("/", "/live")
    where = f"{path}?{request.url.query}" if request.url.query else path
    return to(request, f"sign-in?next={quote(where)}" if is_page else "sign-in")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(request, error.status_code, error.detail)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    names = sorted({str(each["loc"][-1]) for each in error.errors()})
    return _problem(request, 422, f"The address cannot be read: {', '.join(names)}.")


async def _bad(request: Request, error: Exception) -> Response:
    return back(request, str(error), bad=True)


async def _away(request: Request, error: Exception) -> Response:
    log.warning("a server is away", error=str(error)[:300])
    return _problem(request, 503, "The database or Redis does not answer. This page will when they do.")


def _problem(request: Request, status: int, text: str) -> Response:
    return page(request, "problem.html", status, section=None, title=HTTPStatus(status).phrase, text=text)
