"""Claims out of a long line: `python -m bench.claims [ROWS]` (1,000,000 by default), against an embedded PostgreSQL.

Prints one JSON object: {"name", "figures", "checks": [{"what", "value", "at_most", "holds"}], "machine"}; exits 1 where
a check does not hold. Times are milliseconds.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import sys
import time
import uuid

from sqlalchemy import Engine, create_engine, text

from enrichment.bootstrap import migrate
from enrichment.embedded import temporary_servers
from enrichment.reservoir import claims, fleet

SOURCES = ("one", "two", "three", "four", "five")
SIZES = {"single": 1, "batch": 50}
ROUNDS = 300

# Ten tracks of an artist each, priorities as a backfill beside live work has them, batched and single questions mixed.
FILL = text("""
INSERT INTO lookups (source, question, kind, subject_id, priority, keys, batch_key)
SELECT (CAST(:sources AS text[]))[1 + n % 5], CASE WHEN n % 2 = 0 THEN 'single' ELSE 'batch' END, 'track',
    gen_random_uuid(), CASE WHEN n % 1000 = 0 THEN 5 ELSE 2 END,
    jsonb_build_object('artist_name', 'artist ' || n / 10, 'title', 'title ' || n), ''
FROM generate_series(1, :rows) AS n
""")


def measure(engine: Engine, rows: int) -> dict[str, float]:
    """Medians and 95th percentiles of claims by each question, and how much the process has grown meanwhile."""
    worker = uuid.uuid4()
    with engine.begin() as connection:
        fleet.add_sources(connection, SOURCES)
        connection.execute(FILL, {"rows": rows, "sources": list(SOURCES)})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE lookups"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times: dict[str, list[float]] = {"claim_one": [], "claim_batch": [], "low_end": []}
    for number in range(ROUNDS):
        low_end = number % 20 == 19
        started = time.perf_counter()
        with engine.begin() as connection:
            claimed = claims.claim(connection, SOURCES[number % 5], SIZES, worker, low_end=low_end)
        spent = (time.perf_counter() - started) * 1000
        name = "low_end" if low_end else "claim_batch" if claimed[0].question == "batch" else "claim_one"
        times[name].append(spent)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    figures = {"rows": float(rows), "memory_growth_kib": float(grown)}
    for name, spent_in in times.items():
        if len(spent_in) > 1:
            figures[f"{name}_median_ms"] = round(statistics.median(spent_in), 2)
            figures[f"{name}_p95_ms"] = round(statistics.quantiles(spent_in, n=20)[-1], 2)
    return figures


def main(rows: int) -> int:
    """Exit code: 0 where every check holds."""
    with temporary_servers() as servers:
        migrate(servers.addresses.database_url)
        engine = create_engine(servers.addresses.database_url)
        figures = measure(engine, rows)
        engine.dispose()
    medians = {name: value for name, value in figures.items() if name.endswith("_median_ms")}
    checks = [
        {"what": what, "value": value, "at_most": 10.0, "holds": value <= 10.0} for what, value in medians.items()
    ]
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "system": platform.platform()}
    print(json.dumps({"name": "claims", "figures": figures, "checks": checks, "machine": machine}))  # noqa: T201 - a program
    return 0 if all(check["holds"] for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
