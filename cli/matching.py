"""`linernotes match` and `linernotes choose`: questions as JSON lines in, answers in order out. Needs no fleet."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from cli.parse import lines, opened
from cli.show import dumps
from enrichment.domain.matching import choose, match, side_of

Json = dict[str, Any]


def answer(file: str, rule: Callable[[Json], Json]) -> int:
    """One JSON object on stdout for each line that is not blank. A line that is no question is answered with `error`.

    Exit code: 1 where there was such a line. file: a path, "-" for stdin.
    """
    failed = False
    with opened(file) as data:
        for told in _answers(lines(data), rule):
            failed |= "error" in told
            sys.stdout.write(f"{dumps(told)}\n")
    sys.stdout.flush()
    return int(failed)


def _answers(texts: Iterator[str], rule: Callable[[Json], Json]) -> Iterator[Json]:
    for number, text in enumerate(texts, start=1):
        if text.strip():
            try:
                yield rule(_object(json.loads(text), "a question"))
            except (ValueError, RecursionError) as error:
                yield {"error": f"line {number}: {error}"}


def matched(question: Json) -> Json:
    """{"a": side, "b": side} -> {"verdict", "score", "reasons"}. Raises ValueError where a side is missing."""
    a, b = (side_of(_object(question.get(name), f'"{name}"')) for name in ("a", "b"))
    found = match(a, b)
    return {"verdict": found.verdict, "score": found.score, "reasons": found.reasons}


def chosen(question: Json) -> Json:
    """{"query": side, "candidates": [side with "id"]} -> {"verdict", "id", "index", "score", "reasons"}.

    id: as the candidate has it, null unless one is chosen; index: its place, from 0. Raises ValueError where it is no
    such question.
    """
    query = side_of(_object(question.get("query"), '"query"'))
    given = question.get("candidates")
    if not isinstance(given, list):
        raise ValueError('"candidates" is no list')  # noqa: TRY004 - what is asked is wrong, not how we are called
    candidates = [_object(candidate, "a candidate") for candidate in given]
    choice = choose(query, [side_of(candidate) for candidate in candidates])
    own = None if choice.index is None else candidates[choice.index].get("id")
    return {
        "verdict": choice.verdict,
        "id": own,
        "index": choice.index,
        "score": choice.score,
        "reasons": choice.reasons,
    }


def _object(value: Any, name: str) -> Json:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no JSON object")  # noqa: TRY004 - what is asked is wrong, not how we are called
    return value
