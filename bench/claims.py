"""Claims out of a long line: `linernotes bench claims [--rows N]`, against an embedded PostgreSQL.

Times are milliseconds; the medians are checked, and that the claiming process does not grow with the line.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import uuid

import psutil
from sqlalchemy import Engine, create_engine, text

from bench.report import Grid, Report, at_most, start
from enrichment.bootstrap import migrate
from enrichment.embedded import temporary_servers
from enrichment.reservoir import claims, fleet

SOURCES = ("one", "two", "three", "four", "five")
SIZES = {"single": 1, "batch": 50}
ROUNDS = 300
MEDIAN_MS = 10.0
SHORT_LINE = 2000
GROWTH_MIB = 8.0
"""What a process that claims may grow between a short line and the long one."""

# Ten tracks of an artist each, priorities as a backfill beside live work has them, batched and single questions mixed.
FILL = text("""
INSERT INTO lookups (source, question, kind, subject_id, priority, keys, batch_key)
SELECT (CAST(:sources AS text[]))[1 + n % 5], CASE WHEN n % 2 = 0 THEN 'single' ELSE 'batch' END, 'track',
    gen_random_uuid(), CASE WHEN n % 1000 = 0 THEN 5 ELSE 2 END,
    jsonb_build_object('artist_name', 'artist ' || n / 10, 'title', 'title ' || n), ''
FROM generate_series(1, :rows) AS n
""")


def measure(engine: Engine, rows: int) -> dict[str, float]:
    """Medians and 95th percentiles of claims by each question, with so many lookups more in the line."""
    worker = uuid.uuid4()
    with engine.begin() as connection:
        fleet.add_sources(connection, SOURCES)
        connection.execute(FILL, {"rows": rows, "sources": list(SOURCES)})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE lookups"))
    times: dict[str, list[float]] = {"claim_one": [], "claim_batch": [], "low_end": []}
    for number in range(ROUNDS):
        low_end = number % 20 == 19
        started = time.perf_counter()
        with engine.begin() as connection:
            claimed = claims.claim(connection, SOURCES[number % 5], SIZES, worker, low_end=low_end)
        spent = (time.perf_counter() - started) * 1000
        name = "low_end" if low_end else "claim_batch" if claimed[0].question == "batch" else "claim_one"
        times[name].append(spent)
    figures = {"rows": float(rows)}
    for name, spent_in in times.items():
        if len(spent_in) > 1:
            figures[f"{name}_median_ms"] = round(statistics.median(spent_in), 2)
            figures[f"{name}_p95_ms"] = round(statistics.quantiles(spent_in, n=20)[-1], 2)
    return figures


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of `linernotes bench claims`."""
    parser.add_argument("--rows", type=int, default=1_000_000, help="lookups waiting [%(default)s]")


def run(options: argparse.Namespace) -> Report:
    """Measures on an embedded PostgreSQL."""
    with temporary_servers() as servers:
        migrate(servers.addresses.database_url)
        engine = create_engine(servers.addresses.database_url)
        measure(engine, SHORT_LINE)
        before = psutil.Process().memory_info().rss
        figures = measure(engine, options.rows)
        figures["memory_growth_mib"] = round((psutil.Process().memory_info().rss - before) / 2**20, 2)
        engine.dispose()
    checks = [at_most(name, value, MEDIAN_MS) for name, value in figures.items() if name.endswith("_median_ms")]
    checks.append(at_most("memory_growth_mib", figures["memory_growth_mib"], GROWTH_MIB))
    return Report("claims", figures, checks, [Grid("Claims", ("figure", ">value"), list(figures.items()))])


if __name__ == "__main__":
    sys.exit(start("claims", sys.argv[1:]))
