"""JSON on its way to PostgreSQL and back: rows of a statement, values of a column."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

parse = orjson.loads
"""A document of PostgreSQL, as Python has it."""


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON can tell")


def document(value: Any, default: Callable[[Any], str] = _plain) -> str:
    """The value as JSON, identifiers and moments as text. default: tells what JSON has no type for.

    Raises TypeError.
    """
    try:
        return orjson.dumps(value, default).decode()
    except TypeError:
        # orjson refuses integers of more than 64 bits, keys that are no text and halves of surrogate pairs.
        return json.dumps(value, default=default)
