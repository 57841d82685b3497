"""What ends a command: one clear sentence on stderr, never a traceback."""

from __future__ import annotations

import redis
from pydantic import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from enrichment.embedded import EmbeddedError
from enrichment.services.requests import BadRequest

EXPECTED = (EmbeddedError, BadRequest, SQLAlchemyError, redis.RedisError, OSError)
"""Errors that come from outside and say nothing about a defect of ours."""


class Failure(Exception):  # noqa: N818 - it is the command's end, shown to a person
    """A command cannot go on: what is wrong, where, and what to do."""


def sentence(error: BaseException) -> str:
    """What a person is told of an error."""
    if isinstance(error, DBAPIError):
        return _of_database(error)
    if isinstance(error, redis.RedisError):
        return f"Redis does not answer ({error}); check LINERNOTES_REDIS_URL and LINERNOTES_BROKER_URL"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}"
    return str(error) or type(error).__name__


def _of_database(error: DBAPIError) -> str:
    if getattr(error.orig, "sqlstate", None) == "42P01":
        return "the database has no tables of linernotes yet; `linernotes migrate` makes them"
    said = " ".join(str(error.orig).split())[:300]
    return f"the database does not do what it should ({said}); check LINERNOTES_DATABASE_URL"


def of_settings(error: ValueError) -> Failure:
    """A setting that cannot be read, by its variable's name."""
    if isinstance(error, ValidationError):
        told = [
            f"LINERNOTES_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors(include_input=False)
        ]
        return Failure("; ".join(told))
    return Failure(str(error))


def hidden(url: str) -> str:
    """A URL without its password, for people."""
    return make_url(url).render_as_string(hide_password=True)
