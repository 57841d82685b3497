"""The project's frame: what has to be there, what must not, and what has to agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from enrichment.bootstrap import VERSION
from enrichment.embedded.redis import BROKER, LIMITER
from tests.migrations_in_step import __file__ as checked_by_make

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GIVEN = (
    *("pyproject.toml", "celeryconfig.py", "workers", "enrichment", "models", "alembic", "alembic.ini", "tests"),
    *("docker-compose.yml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "Dockerfile"),
    *("constraints.txt", ".ci/run", ".env.example", "docs/architecture.md"),
)


@pytest.mark.parametrize("name", GIVEN)
def test_the_given_names_are_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_ci_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1] == "make test", "pytest's closing line comes last"
    assert Path(checked_by_make).exists()


def test_our_migrations_do_not_hide_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def _files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are the project's cannot be told")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - a constant
    return [ROOT / name for name in said.stdout.split("\0") if name and (ROOT / name).is_file()]


_MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home|Users|tmp/lab)/\w")
_REGISTRY = re.compile(r"pyp[i]\.org|python[h]osted\.org|[n]pmjs\.|[g]hcr\.io|[q]uay\.io")


def test_no_file_knows_a_machine_or_a_registry() -> None:
    for path in _files():
        content = path.read_bytes()
        if b"\0" in content[:8000] or path.suffix == ".gz":
            continue
        text = content.decode("utf-8", "replace")
        found = _MACHINE.search(text) or _REGISTRY.search(text)
        assert found is None, f"{path.relative_to(ROOT)}: {found[0] if found else ''}"


def test_make_lists_its_targets() -> None:
    command = ["make", "--no-print-directory"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603 - a constant
    listed = re.findall(r"^  make ([a-z-]+) +\S.*$", said, re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared is not None
    assert listed == declared[1].split()
    assert {"demo", "test", "check", "env"} <= set(listed)


def test_one_version() -> None:
    assert PROJECT["project"]["version"] == VERSION
    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"image: linernotes:{VERSION}" in (ROOT / "docker-compose.yml").read_text("utf-8")


@pytest.mark.parametrize("settings", [BROKER, LIMITER], ids=["broker", "limiter"])
def test_compose_runs_redis_as_the_embedded_servers_do(settings: dict[str, str]) -> None:
    arguments = ", ".join(f'"--{name}", "{value.strip(chr(34))}"' for name, value in settings.items())
    assert f'["valkey-server", {arguments}]' in (ROOT / "docker-compose.yml").read_text("utf-8")


# --- arrows --------------------------------------------------------------------------------------------------------


def test_the_check_knows_every_source() -> None:
    contracts = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    sources = set(contracts["Sources do not know each other"]["modules"])
    shared = contracts["What sources share knows no source"]
    modules = {f"enrichment.sources.{path.stem}" for path in (ROOT / "enrichment" / "sources").glob("[!_]*.py")}
    assert sources | set(shared["source_modules"]) == modules
    assert set(shared["forbidden_modules"]) == sources


# --- constraints ---------------------------------------------------------------------------------------------------

MACHINES = [
    {"python_version": full[:4], "python_full_version": full, "sys_platform": platform, "platform_system": system}
    for full in ("3.11.2", "3.11.9", "3.12.3", "3.13.1")
    for platform, system in (("linux", "Linux"), ("darwin", "Darwin"))
]
"""The oldest Python 3.11 in use is Debian's."""


def _constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in requirements}


def test_constraints_are_pinned() -> None:
    for each in _constraints().values():
        assert [specifier.operator for specifier in each.specifier] == ["=="], each
        assert each.url is None


def test_constraints_cover_all_that_is_needed() -> None:
    constraints = _constraints()
    installed = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
    ahead = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    seen: set[str] = set()
    while ahead:
        text = ahead.pop()
        needed = Requirement(text)
        extras = ("", *sorted(needed.extras))
        name = canonicalize_name(needed.name)
        assert name in constraints, text
        if text in seen or name not in installed:
            continue
        seen.add(text)
        ahead += [line for line in installed[name].requires or () if _applies(Requirement(line), extras)]


def _applies(needed: Requirement, extras: tuple[str, ...]) -> bool:
    """Is it needed on any of our machines?"""
    marker = needed.marker
    return marker is None or any(marker.evaluate({**on, "extra": extra}) for on in MACHINES for extra in extras)
