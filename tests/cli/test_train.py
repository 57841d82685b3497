"""`linernotes train` on a fleet that has asked nothing yet."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.conftest import Empty

pytest.importorskip("sklearn", reason="the extra `train` is not installed")


def test_nothing_to_learn_from(empty: Empty) -> None:
    told = CliRunner().invoke(app, ["train", "sources"], env=empty.environ())
    as_json = CliRunner().invoke(app, ["train", "sources", "--dry-run", "--json"], env=empty.environ())

    assert (told.exit_code, as_json.exit_code) == (0, 0)
    assert "no question has been answered often enough" in told.stderr
    assert json.loads(as_json.stdout) == []
