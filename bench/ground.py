"""A reservoir full of lookups, as many as wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, text

from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind
from enrichment.sources.base import Source

LOW, SOMEWHAT = 2, 5
CHUNK = 500_000

_MAKE = "INSERT INTO {table} SELECT gen_random_uuid(), {names} FROM generate_series(1, :rows) AS n"
_SUBJECTS = {
    Kind.PERFORMER: text(_MAKE.format(table="performers (id, name)", names="'nobody ' || n")),
    Kind.ALBUM: text(_MAKE.format(table="albums (id, title, artist)", names="'no album ' || n, 'nobody ' || n")),
    Kind.TRACK: text(_MAKE.format(table="tracks (id, title, artist)", names="'no title ' || n, 'nobody ' || n")),
}

# Subjects of the table while there are any, and then some that nobody has; priorities as a backfill beside live work.
_FILL = """
WITH known AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM {kind}s WHERE :real)
INSERT INTO lookups (source, question, kind, subject_id, priority, keys, batch_key, batch_limit)
SELECT :source, :question, :kind, coalesce(known.id, gen_random_uuid()),
    CASE WHEN n % 1000 = 0 THEN {somewhat} ELSE {low} END, jsonb_build_object({keys}), {batch_key},
    :together
FROM generate_series(CAST(:first AS bigint), :last) AS n LEFT JOIN known USING (n)
"""

_MBID = "md5(n::text)::uuid::text"
_KEYS = {
    "artist_name": "'nobody ' || n / 10",
    "title": "'no title ' || n",
    "name": "'nobody ' || n",
    "isrc": "'XXA11' || lpad((n % 10000000)::text, 7, '0')",
    "spotify_id": "substr(md5(n::text), 1, 22)",
    "wikidata_id": "'Q9' || n",
    "cover_art_url": ":upstream || '/artwork/none/' || n || '.jpg'",
    "image_url": ":upstream || '/artwork/none/' || n || '.jpg'",
}


def _value(need: str) -> str:
    return _MBID if "musicbrainz" in need else _KEYS.get(need, "(900000000 + n)::text")


def first_questions(sources: Mapping[str, Source[Any]]) -> dict[str, Question]:
    """Of each source that can be asked, the question with the smallest batch."""
    return {name: min(source.questions, key=lambda q: q.batch) for name, source in sources.items() if source.questions}


def fill(
    engine: Engine,
    questions: Mapping[str, Question],
    rows: int,
    *,
    upstream: str = "",
    real: bool = False,
    alone: bool = False,
) -> None:
    """So many waiting lookups of each source.

    upstream: of the pictures' addresses. real: about subjects that there are, else about nobody. alone: none shares its
    call, so that a line of a thousand lasts for a thousand calls.
    """
    if real:
        with engine.begin() as connection:
            for kind in {question.kind for question in questions.values()}:
                connection.execute(_SUBJECTS[kind], {"rows": rows})
    for source, question in questions.items():
        keys = ", ".join(f"'{need}', {_value(need)}" for need in question.needs)
        by_artist = question.batch > 1 and question.batch_by({"artist_name": "somebody"})
        statement = text(
            _FILL.format(
                kind=question.kind,
                keys=keys,
                low=LOW,
                somewhat=SOMEWHAT,
                batch_key="lower('nobody ' || n / 10)" if by_artist else "''",
            )
        )
        for first in range(1, rows + 1, CHUNK):
            values = {"source": source, "question": question.name, "kind": question.kind, "real": real}
            values |= {"together": int(alone), "first": first, "last": min(rows, first + CHUNK - 1)}
            if ":upstream" in keys:
                values["upstream"] = upstream
            with engine.begin() as connection:
                connection.execute(statement, values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE lookups"))
