"""What the pages say of settings is what the code does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from enrichment.bootstrap import make_sources
from enrichment.domain.questions import Budget
from enrichment.settings import PREFIX, Settings, load, read_budget
from tests.docs.pages import PAGES, ROOT, table_under

CODE = "".join(
    path.read_text("utf-8")
    for folder in ("enrichment", "workers", "cli", "service")
    for path in sorted((ROOT / folder).rglob("*.py"))
)
SOURCES = make_sources(load({}))
FIELDS = {f"{PREFIX}{name.upper()}": field for name, field in Settings.model_fields.items() if name != "environ"}
OF_A_SOURCE = {f"{PREFIX}<SOURCE>_{option}" for option in ("URL", "BUDGET", "BREAKER_THRESHOLD", "BREAKER_SECONDS")}
OF_A_SITE = {f"{PREFIX}<SOURCE>_<SITE>_URL"}
OF_A_SCHEDULE = {f"{PREFIX}SCHEDULE_<NAME>"}
SECRETS = {secret for source in SOURCES.values() for secret in source.secrets}
OPTIONS = {
    name
    for name in re.findall(rf"{PREFIX}[A-Z]+_[A-Z_]+", CODE)
    if name.split("_")[1].lower() in SOURCES and name.split("_", 2)[2] not in ("URL", "BUDGET")
}
FOREIGN = set(re.findall(r"RABBITMQ_[A-Z]+", CODE))
ALL = {*FIELDS, *OF_A_SOURCE, *OF_A_SITE, *OF_A_SCHEDULE, *SECRETS, *OPTIONS, *FOREIGN}


def _table() -> dict[str, tuple[str, str]]:
    """Default and meaning by variable, of the table in docs/operating.md."""
    rows = table_under("docs/operating.md", "## Settings")
    return {name: (default, meaning) for names, default, meaning in rows for name in re.findall(r"`([^`]+)`", names)}


def _example() -> dict[str, str]:
    """Every variable of .env.example with its value, set or not."""
    lines = re.findall(r"^#?([A-Z_]+(?:<[A-Z]+>[A-Z_]*)*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    return dict(lines)


def test_the_table_names_every_variable_and_no_other() -> None:
    assert set(_table()) == ALL


def test_the_example_names_every_variable_and_no_other() -> None:
    assert set(_example()) == ALL


def test_every_variable_of_the_example_has_a_comment() -> None:
    comment = False
    for line in (ROOT / ".env.example").read_text().splitlines():
        is_variable = bool(re.match(r"#?[A-Z_<>]+=", line))
        assert comment or not is_variable, line
        comment = line.startswith("# ") or (comment and is_variable)


def test_defaults_are_those_of_the_code() -> None:
    said = {name: default.strip("`") for name, (default, _) in _table().items()}
    for name, field in FIELDS.items():
        default = str(field.default)
        assert said[name] == (default.lower() if isinstance(field.default, bool) else default), name


def test_the_example_sets_nothing_and_its_values_can_be_read() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert all(line.startswith("#") for line in lines if line)
    example = _example()
    load({name: value for name, value in example.items() if "<" not in name})
    assert read_budget(example[f"{PREFIX}<SOURCE>_BUDGET"], Budget(())).per_day == 800


def test_budgets_are_those_of_the_sources() -> None:
    rows = table_under("docs/operating.md", "### Budgets")
    assert [row[0].strip("`") for row in rows] != []
    assert {row[0].strip("`") for row in rows} == set(SOURCES)
    for name, said, _ in rows:
        budget = SOURCES[name.strip("`")].budget
        (limit,) = budget.limits
        expected = f"{limit.calls:g}/{limit.seconds:g}, burst {limit.burst:g}, concurrency {budget.concurrency}"
        day = f", day {budget.per_day}" if budget.per_day else ""
        assert said.partition(" (")[0] == expected + day


def test_the_sources_are_named() -> None:
    example = (ROOT / ".env.example").read_text()
    assert all(name.upper() in example for name in SOURCES)


def test_log_lines_are_those_of_the_code() -> None:
    rows = table_under("docs/operating.md", "## Log lines")
    events = [event for row in rows for event in re.findall(r"`([^`]+)`", row[0])]
    assert events
    assert [event for event in events if f'"{event}"' not in CODE] == []


def test_celery_settings_that_are_explained_are_made() -> None:
    rows = table_under("docs/decisions/0002-celery.md", "## Decision")
    names = re.findall(r"`([a-z_]+)", " ".join(row[0] for row in rows))
    config = runpy.run_path(str(ROOT / "celeryconfig.py"))
    made = {*config, *config["broker_transport_options"]}
    lanes = {"fetch", "critical", "default", "low_priority"}
    assert set(names) - lanes <= made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_in_prose_exist(page: Path) -> None:
    for name in re.findall(rf"{PREFIX}[A-Z_]+(?:<[A-Z]+>[A-Z_]*)*", page.read_text("utf-8")):
        source, _, option = name.removeprefix(PREFIX).partition("_")
        of_source = source.lower() in SOURCES and f"{PREFIX}<SOURCE>_{option}" in OF_A_SOURCE
        of_site = source.lower() in SOURCES and option.endswith("_URL")
        assert name in ALL or of_source or of_site or name.endswith("<OPTION>"), name
