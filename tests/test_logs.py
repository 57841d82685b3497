"""Lines of our code and of libraries, for people and for programs, at levels that change while a process runs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from enrichment import logs
from tests.support import ROOT

PROGRAM = """
import logging, sys, structlog
from enrichment import logs
logs.configure(sys.argv[1])
with structlog.contextvars.bound_contextvars(correlation_id="c-1"):
    structlog.get_logger("enrichment.x").info("one", source="deezer", name="Björk")
structlog.get_logger("enrichment.x").debug("is not told")
logging.getLogger("celery.worker").info("two %s", "three")
logging.getLogger("celery.app.trace").info("is not told")
logging.getLogger("httpx").info("GET https://api.test/?key=secret")

def divided(key):
    return len(key) / 0

try:
    divided("a secret in a local variable")
except ZeroDivisionError:
    structlog.get_logger("service.x").exception("four")
"""


def told(form: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, form], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == ""
    assert "is not told" not in done.stderr
    assert "secret" not in done.stderr.replace('divided("a secret', "")  # which is a line of the program
    return done.stderr


def test_for_programs() -> None:
    one, two, four = (json.loads(line) for line in told("json").splitlines())

    assert one.pop("timestamp").endswith("Z")
    assert one == {
        "event": "one",
        "source": "deezer",
        "name": "Björk",
        "correlation_id": "c-1",
        "level": "info",
        "logger": "enrichment.x",
    }
    assert (two["event"], two["logger"], two["level"]) == ("two three", "celery.worker", "info")
    assert (four["event"], four["level"]) == ("four", "error")
    assert "ZeroDivisionError" in four["exception"]


def test_for_people() -> None:
    text = told("console")

    assert "one" in text
    assert "source=deezer" in text
    assert "two three" in text
    assert "ZeroDivisionError" in text


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """Other tests are told as before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logs.follow({})
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_levels_change_and_go_back(as_it_was: None, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")

    def lines() -> list[str]:
        structlog.get_logger("enrichment.services.settle").debug("ours")
        structlog.get_logger("workers.tasks").debug("theirs")
        logging.getLogger("celery.worker.strategy").info("celery's")
        return [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]

    assert lines() == []
    logs.follow({"enrichment.services": "DEBUG", "celery.worker.strategy": "INFO"})
    assert lines() == ["ours", "celery's"]
    logs.follow({"": "DEBUG", "enrichment.services": "ERROR"})
    assert lines() == ["theirs"]
    logs.follow({})
    assert lines() == []


@pytest.mark.parametrize(
    ("logger", "level", "wrong"),
    [
        ("", "DEBUG", False),
        ("enrichment.wire", "DEBUG", False),
        ("celery", None, False),
        ("httpx", "DEBUG", True),
        ("sqlalchemy.engine", "INFO", True),
        ("enrichmentx", "INFO", True),
        ("", "LOUD", True),
    ],
)
def test_what_may_be_wished(logger: str, level: str | None, *, wrong: bool) -> None:
    assert bool(logs.complaint(logger, level)) is wrong


def test_every_module_of_ours_is_below_a_known_logger() -> None:
    tops = {path.parent.name for path in Path(ROOT).glob("*/__init__.py")}
    assert tops - {"models", "simulator", "tests"} == set(logs.OURS)
