"""What a warehouse's artists cost in Spotify calls: `linernotes bench artists [OPTIONS]`.

A backfill of artists whose Spotify ids are known, on servers of its own and against simulated upstreams, with an app of
extended quota, one in development mode, or without Spotify. Where the world has fewer artists they come again.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from sqlalchemy import text

from bench.driving import driven
from bench.report import Check, Report, at_least, at_most
from enrichment.bootstrap import make_sources
from enrichment.embedded import temporary_servers
from enrichment.reservoir.warehouse import Choice
from enrichment.services import warehouse
from enrichment.services.fleet import Fleet
from enrichment.services.jobs import Cursor, Step
from enrichment.settings import load
from simulator.server import running
from simulator.truth import World

SPARE = 5
"""Calls of batches that were not full."""
PER_DAY = 800
MODES = ("extended", "development", "none")

_INSERT = text("""
INSERT INTO performers (name, spotify_id)
SELECT (CAST(:names AS text[]))[n % :known + 1], (CAST(:ids AS text[]))[n % :known + 1]
FROM generate_series(1, :artists) n
""")
_CALLS = text("""
SELECT count(DISTINCT s.claim_token) FROM settles s JOIN lookups l ON l.id = s.lookup_id
WHERE l.source = 'spotify' AND l.kind = 'performer'
""")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--artists", type=int, default=1000, help="how many [1000]")
    parser.add_argument("--mode", choices=MODES, default=MODES[0], help="of the Spotify app [extended]")
    parser.add_argument("--speed", type=float, default=20.0, help="of the simulated world, its quotas too [20]")
    parser.add_argument("--catalogue", type=Path, help="tracks.jsonl[.gz]; else the one that ships")


def run(options: argparse.Namespace) -> Report:
    """Measures."""
    with (
        temporary_servers() as servers,
        running(catalogue=options.catalogue, unlimited=True, speed=options.speed) as url,
        driven(servers, _environ(options, url)) as at_work,
    ):
        _insert(at_work.fleet, options)
        began, cursor = time.monotonic(), Cursor()
        ahead = warehouse.preview(at_work.fleet, Choice())["estimate"]
        job = warehouse.enriching(Choice())
        while (step := job(at_work.fleet, cursor)) is not Step.DONE:
            time.sleep(0.2 if step is Step.WAITS else 0.0)
        figures = {
            "artists": options.artists,
            "mode": options.mode,
            "spotify_calls": _calls(at_work.fleet),
            "failed": len(warehouse.failed(at_work.fleet, options.artists)),
            "seconds": round(time.monotonic() - began, 1),
            "estimate": ahead,
        }
    return Report("artists", figures, _checks(options, figures["spotify_calls"], figures["failed"]))


def _environ(options: argparse.Namespace, url: str) -> dict[str, str]:
    secrets = [name for source in make_sources(load({})).values() for name in source.secrets]
    keys = {name: "simulated" for name in secrets if options.mode != "none" or not name.startswith("SPOTIFY_")}
    if options.mode == "extended":
        keys["SPOTIFY_CLIENT_ID"] = "extended"
    mode = {} if options.mode == "none" else {"LINERNOTES_SPOTIFY_MODE": options.mode}
    return {**keys, **mode, "LINERNOTES_UPSTREAM_URL": url, "LINERNOTES_SPEED": str(options.speed)}


def _insert(fleet: Fleet, options: argparse.Namespace) -> None:
    world = World.build(options.catalogue)
    known = [performer for performer in world.performers.values() if performer.spotify_id]
    names, ids = [performer.name for performer in known], [performer.spotify_id for performer in known]
    with fleet.engine.begin() as connection:
        connection.execute(_INSERT, {"names": names, "ids": ids, "known": len(ids), "artists": options.artists})


def _calls(fleet: Fleet) -> int:
    with fleet.engine.connect() as connection:
        return int(connection.execute(_CALLS).scalar_one())


def _checks(options: argparse.Namespace, calls: int, failed: int) -> list[Check]:
    most = {
        "extended": math.ceil(options.artists / 50) + SPARE,
        "development": math.ceil(PER_DAY * options.speed),
        "none": 0,
    }
    return [
        at_most("Spotify calls", calls, most[options.mode]),
        at_least("artists that somebody knew, share", 1 - failed / options.artists, 0.9),
    ]
