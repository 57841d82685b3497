"""The examples of docs/http.md, sent as they stand there."""

from __future__ import annotations

import json

import pytest

from tests.docs.pages import Block, blocks
from tests.service.conftest import Api

EXAMPLES = [block for block in blocks("http") if block.page.name == "http.md"]


def requests_of(block: Block) -> list[tuple[str, str, str]]:
    """Method, path and body of each request; a line that begins with neither is the body of the one before."""
    found: list[tuple[str, str, str]] = []
    for line in block.code.splitlines():
        method, _, path = line.partition(" ")
        if method in ("GET", "POST") and path.startswith("/"):
            found.append((method, path, ""))
        else:
            method, path, body = found.pop()
            found.append((method, path, body + line))
    return found


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_examples_are_answered(api: Api, block: Block) -> None:
    api.submitted()
    for method, path, body in requests_of(block):
        found = api.http.request(method, path, json=json.loads(body) if body else None)
        assert found.status_code in (200, 202), found.text
        assert '"errors": [{' not in found.text
