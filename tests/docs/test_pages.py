"""What the pages say can be done, can be done: links lead somewhere, commands and names exist, queries run."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from sqlalchemy import Engine

from cli.main import app
from enrichment.services.requests import AlbumRequest, PerformerRequest, Request, TrackRequest, read
from models import Base
from simulator import faults
from tests.conftest import Empty
from tests.docs.pages import PAGES, ROOT, Block, blocks, name_of, table_under, without_blocks

_LINK = re.compile(r"\[[^\]]+\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = _HEADING.findall(without_blocks(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(without_blocks(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = [target.partition("#")[0] for target in _LINK.findall(without_blocks(page))]
        there = [(page.parent / target).resolve() for target in targets if "://" not in target]
        ahead += [file for path in there for file in (sorted(path.glob("*.md")) if path.is_dir() else [path])]
    assert reached >= set(PAGES)


# --- shell ---------------------------------------------------------------------------------------------------------

COMMANDS = [
    (f"{block} {line}", line)
    for block in blocks("sh")
    for line in block.code.splitlines()
    if line.strip() and not line.startswith("#")
]


@pytest.mark.parametrize("line", [line for _, line in COMMANDS], ids=[name for name, _ in COMMANDS])
def test_commands_and_their_options_exist(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    program, *arguments = words
    match Path(program).name:
        case "linernotes":
            _parse(arguments)
        case "make":
            targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(arguments) <= set(targets)
        case "python":
            assert all((ROOT / word).exists() for word in arguments if word.startswith("tests/"))
        case "celery" | "alembic" | "docker" | "export" | "grep" | "pg_dump" | "pg_restore" | "source":
            pass
        case _:
            pytest.fail(f"what is {program}?")


def _parse(arguments: list[str]) -> None:
    """As the command line would, short of doing anything. Raises typer's exceptions for what it does not know."""
    for word in arguments:
        if word.endswith((".csv", ".jsonl", ".json", ".gz")):
            Path(word).touch()
    command, name = typer.main.get_command(app), "linernotes"
    context = command.make_context(name, list(arguments))
    while hasattr(command, "resolve_command") and (rest := [*context._protected_args, *context.args]):
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None, arguments
        context = command.make_context(name, rest, parent=context)


def _helps(command: Any, name: str) -> Iterator[tuple[str, str | None]]:
    """Of a command, its parameters and its own commands."""
    yield name, command.help
    for parameter in command.params:
        yield f"{name} {parameter.name}", getattr(parameter, "help", None)
    for inner, each in getattr(command, "commands", {}).items():
        yield from _helps(each, f"{name} {inner}")


def test_every_command_and_option_tells_what_it_is() -> None:
    helps = dict(_helps(typer.main.get_command(app), "linernotes"))
    assert [name for name, told in helps.items() if not told] == []


# --- Python --------------------------------------------------------------------------------------------------------

REQUESTS: dict[str, type[Request]] = {
    "enrich_track": TrackRequest,
    "enrich_album": AlbumRequest,
    "enrich_performer": PerformerRequest,
}


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles_and_what_it_imports_exists(block: Block) -> None:
    tree = ast.parse(block.code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)


def _called(node: ast.Call) -> tuple[str, dict[str, Any]] | None:
    """The task and the keywords of `task.delay(…)`."""
    if not (
        isinstance(node.func, ast.Attribute) and node.func.attr == "delay" and isinstance(node.func.value, ast.Name)
    ):
        return None
    return node.func.value.id, {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}


def test_the_requests_it_shows_are_taken() -> None:
    nodes = [node for block in blocks("python") for node in ast.walk(ast.parse(block.code))]
    calls = [called for node in nodes if isinstance(node, ast.Call) and (called := _called(node))]
    assert {name for name, _ in calls} >= set(REQUESTS)
    for name, keywords in calls:
        if name in REQUESTS:
            read(REQUESTS[name], keywords)


def test_python_of_the_guide_runs() -> None:
    for block in blocks("python"):
        if block.page.name == "adding-a-source.md":
            exec(compile(block.code, str(block), "exec"), {"__name__": "guide"})  # noqa: S102 - our own page


def test_a_producer_without_our_package_reaches_the_lane(empty: Empty) -> None:
    (block,) = [block for block in blocks("python") if "send_task" in block.code]
    names: dict[str, Any] = {"__name__": "producer"}
    code = re.sub(r'broker="[^"]+"', f"broker={empty.broker_url!r}", block.code)
    exec(compile(code, str(block), "exec"), names)  # noqa: S102 - our own page

    with names["app"]:
        names["enrich"]("Portishead", "Strangers")

    with redis.Redis.from_url(empty.broker_url) as broker:
        assert broker.llen("default") == 1


# --- SQL, JSON, TOML -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("sql"), ids=str)
def test_queries_run(block: Block, engine: Engine) -> None:
    with engine.connect() as connection:
        for statement in block.code.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)


def test_every_table_is_explained() -> None:
    rows = table_under("docs/architecture.md", "## Tables a person meets in psql")
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row[0])}
    assert told == {*Base.metadata.tables, "dim_artists"}, "the view stands among the tables"


def test_the_layout_names_every_package() -> None:
    told = {
        name for row in table_under("docs/architecture.md", "## Layout") for name in re.findall(r"`([^`]+)`", row[0])
    }
    packages = {path.parent for pattern in ("*/__init__.py", "enrichment/*/__init__.py") for path in ROOT.glob(pattern)}
    assert {f"{package.relative_to(ROOT)}/" for package in packages} <= told | {"enrichment/", "tests/"}


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    content = json.loads(block.code)
    if isinstance(content, list) and "fault" in content[0]:
        assert faults.read(content)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_is_toml(block: Block) -> None:
    assert tomllib.loads(block.code)


# --- decisions -----------------------------------------------------------------------------------------------------


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text("utf-8")
        assert text.startswith(f"# {record.name[:4]}: ")
        parts = [text.find(part) for part in ("**Status:**", "## Context", "## Decision", "## Consequences")]
        assert parts == sorted(parts)
        assert parts[0] > 0
