"""Looking for subjects, as a person does: by an id, by names, by how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from enrichment.domain.subjects import Kind, Status
from enrichment.domain.text import name_key, title_key
from enrichment.reservoir import search as rows
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.search import Place
from enrichment.services.fleet import Fleet

PAGE = 50
MOST_SPLITS = 8
"""Ways to read a search as an artist and a title."""


@dataclass(frozen=True, slots=True)
class Page:
    """subjects: `id`, `external_id`, `title`, `artist`, `picture`, `updated_at`, and of those that somebody asked for
    `status`, `error_message`, `completeness_score`, `requested_at`, `sources_used`. next: where the next page begins.
    """

    subjects: Sequence[Any]
    next: Place | None


def subjects(
    fleet: Fleet, kind: Kind, given: str = "", status: Status | None = None, after: Place | None = None
) -> Page:
    """Those of this id or whose names begin so; without a search the last changed, or the last asked for of a status.

    A search has one page: who needs a second one says more.
    """
    given = given.replace("\x00", "").strip()
    with at_once(fleet.engine) as connection:
        if given:
            return Page(rows.named(connection, kind, given, _keys(given), status=status, most=PAGE), None)
        if status is not None:
            found = rows.of_status(connection, kind, status, after, PAGE)
        else:
            found = rows.newest(connection, kind, after, PAGE)
    if len(found) < PAGE:
        return Page(found, None)
    last = found[-1]
    return Page(found, (last.requested_at if status is not None else last.updated_at, last.id))


def _keys(given: str) -> dict[str, Any]:
    words = name_key(given.replace(" - ", " ")).split()
    splits = range(1, min(len(words), MOST_SPLITS + 1))
    return {
        "name": name_key(given),
        "title": title_key(given),
        "artists": [" ".join(words[:count]) for count in splits],
        "titles": [title_key(" ".join(words[count:])) for count in splits],
    }
