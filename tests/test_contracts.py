"""CONTRACTS.md names functions and routes: each is there, as a task, a service, a command and over HTTP."""

from __future__ import annotations

import re

import pytest
import typer

import linernotes_client as client
from cli.main import app as cli
from enrichment.domain.orders import TASKS
from enrichment.services import artwork, events, listens, performers, submit
from enrichment.settings import load
from service.app import create
from tests.support import ROOT
from workers import tasks
from workers.app import app as celery

CONTRACTS = ROOT.parent / "shared" / "CONTRACTS.md"
IN_SERVICES = (performers, events, artwork, listens, submit)
TAKEN = {
    "enrich_track": "submit",
    "enrich_tracks": "submit_all",
    "enrich_album": "submit",
    "fetch_artwork": "request_artwork",
}
"""Those whose service has a name of its own."""
ANSWERS = {
    "find_performers_needing_enrichment",
    "has_ra_artist_id",
    "enriched",
    "enrichment_stats",
    "enrichment_report",
    "get_enrichment_queue",
}
"""They answer at once, which a task does not."""
COMMANDS = {
    "enrich_track": "enrich",
    "enrich_tracks": "enrich",
    "enrich_performer": "performer enrich",
    "enrich_event_performers": "performer enrich-event",
    "enrich_batch": "performer enrich-batch",
    "enrich_high_priority": "performer enrich-high-priority",
    "enrich_all_pending": "performer enrich-all-pending",
    "find_performers_needing_enrichment": "performer needing",
    "reset_enrichment": "performer reset",
    "enrichment_stats": "performer stats",
    "enrichment_report": "performer report",
    "get_enrichment_queue": "performer queue",
}
ROUTES = {
    "enrich_track": "POST /tracks/{}/enrich",
    "enrich_tracks": "POST /enrich/batch",
    "enrich_album": "POST /albums/{}/enrich",
    "enrich_performer": "POST /performers/{}/enrich",
    "enrich_event_performers": "POST /events/{}/enrich",
    "enrich_batch": "POST /performers/enrich_batch",
    "enrich_high_priority": "POST /performers/enrich_high_priority",
    "enrich_all_pending": "POST /performers/enrich_all_pending",
    "find_performers_needing_enrichment": "GET /performers/find_performers_needing_enrichment",
    "reset_enrichment": "POST /performers/{}/reset_enrichment",
    "has_ra_artist_id": "GET /performers/{}/enrichment_report",
    "enriched": "GET /performers/{}/enrichment_report",
    "fetch_artwork": "POST /albums/{}/fetch_artwork",
    "enrich_listens": "POST /listens",
    "enrichment_stats": "GET /performers/enrichment_stats",
    "enrichment_report": "GET /performers/{}/enrichment_report",
    "get_enrichment_queue": "GET /performers/get_enrichment_queue",
}


def section(title: str) -> str:
    if not CONTRACTS.exists():
        pytest.skip(f"there is no {CONTRACTS.name} beside the repository")
    return CONTRACTS.read_text("utf-8").partition(f"## {title}")[2].partition("\n## ")[0]


def plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.partition("?")[0])


@pytest.fixture(scope="module")
def routes() -> set[str]:
    """Of the service, without connecting to anything."""
    servers = {f"LINERNOTES_{name}_URL": "redis://nowhere" for name in ("BROKER", "REDIS")}
    served = create(load({**servers, "LINERNOTES_DATABASE_URL": "postgresql://nowhere"}))
    documented = served.openapi()["paths"]
    return {f"{method.upper()} {plain(path)}" for path, methods in documented.items() for method in methods} | {
        "GET /metrics"
    }


def test_every_function_is_there(routes: set[str]) -> None:
    said = section("Tasks and functions")
    first, *bullets = said.split("\n- ")
    functions = {
        *re.findall(r"`([a-z_]+)(?:\([^`]*\))?`", first),
        *(re.findall(r"`(\w+)", each)[0] for each in bullets),
    }
    assert functions - {"metadata"} == set(ROUTES)
    for name, route in ROUTES.items():
        assert route in routes, name
        assert any(hasattr(module, TAKEN.get(name, name)) for module in IN_SERVICES), name
        if name not in ANSWERS:
            assert name in celery.tasks.keys() & vars(tasks).keys() & TASKS & vars(client).keys(), name


@pytest.mark.parametrize("words", sorted(set(COMMANDS.values())))
def test_every_function_has_its_command(words: str) -> None:
    command = typer.main.get_command(cli)
    for word in words.split():
        command = command.commands[word]  # type: ignore[attr-defined]  # groups have them
    assert command.help


def test_every_route_is_there(routes: set[str]) -> None:
    named = re.findall(r"`((?:GET|POST) /[^`]*)`", section("HTTP"))
    wanted = {plain(each) for each in named} - {"GET /{}/{}", "GET /{}/{}/enrichment_status"}
    kinds = {
        f"{path}"
        for kind in ("tracks", "performers", "albums")
        for path in (f"GET /{kind}/{{}}", f"GET /{kind}/{{}}/enrichment_status", f"POST /{kind}/{{}}/enrich")
    }
    assert len(wanted) > 8
    assert (wanted | kinds | {"POST /events/{}/enrich"}) - routes == set()
