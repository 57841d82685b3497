"""`linernotes match` and `choose` as processes: a question in, an answer out, whatever it holds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Linernotes


def _lines(*rows: Any) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def test_answers_come_in_the_order_of_the_questions(linernotes: Linernotes):
    song = {"artist": "Moby", "title": "Porcelain"}
    given = _lines(
        {"a": {"line": "[012] Moby - Porcelain [Mute - CDMUTE252]"}, "b": song},
        {"a": song, "b": {"artist": "Moby", "title": "Porcelain (Live)"}},
        {"a": song, "b": {"artist": "Moby", "title": "Porcelain (Radio Edit)", "duration_ms": "214000"}},
    )
    done = linernotes("match", given=given)
    assert done.returncode == 0
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["verdict"] for answer in told] == ["same", "different", "unsure"]
    assert told[0] == {"verdict": "same", "score": 0.941, "reasons": ["same artist (+5)", "same title (+7)"]}


def test_what_is_no_question_is_told_in_its_place(linernotes: Linernotes):
    given = (
        b"x\n\n[]\n" + _lines({"a": {}}, {"a": {}, "b": {}}) + b'{"a": {"artist": "\xff"}, "b": {"duration_ms": 1e999}}'
    )
    done = linernotes("match", "-", given=given)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [answer.get("error", answer.get("verdict"))[:6] for answer in told[:3]] == ["line 1", "line 3", "line 4"]
    assert [answer["verdict"] for answer in told[3:]] == ["different", "unsure"]
    assert not done.stderr


def test_a_candidate_is_chosen_by_its_own_id(linernotes: Linernotes, data: Path):
    candidates = [
        {"id": 7, "artist": "Moby", "title": "Porcelain (Live)"},
        {"id": 8, "artist": "Moby", "title": "Porcelain"},
    ]
    given = _lines(
        {"query": {"line": "Moby - Porcelain"}, "candidates": candidates},
        {"query": {"line": "Moby - Porcelain"}, "candidates": candidates[:1]},
        {"query": {"line": "Moby - Porcelain"}, "candidates": []},
    )
    (data / "questions.jsonl.gz").write_bytes(gzip.compress(given))
    done = linernotes("choose", "questions.jsonl.gz")
    assert done.returncode == 0
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["verdict"], answer["id"], answer["index"]) for answer in told] == [
        ("chosen", 8, 1),
        ("none", None, None),
        ("none", None, None),
    ]
    assert all(answer["reasons"] for answer in told)


def test_a_choice_needs_candidates(linernotes: Linernotes):
    done = linernotes("choose", given=_lines({"query": {}}, {"query": {}, "candidates": [1]}))
    assert done.returncode == 1
    told = [json.loads(line)["error"] for line in done.stdout.splitlines()]
    assert told == ['line 1: "candidates" is no list', "line 2: a candidate is no JSON object"]


def test_a_file_that_is_not_there_is_wrong_usage(linernotes: Linernotes):
    done = linernotes("match", "nowhere.jsonl")
    assert done.returncode == 2
    assert "nowhere.jsonl" in done.stderr
