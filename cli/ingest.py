"""`linernotes ingest`: landing files come into the warehouse's tables."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.fleet import opened
from cli.options import AsJson, Data
from cli.show import note, print_json
from enrichment.services import warehouse

MOST_COMPLAINTS = 50


class Config(StrEnum):
    ARTIST_ENRICHMENT = warehouse.KIND


def ingest_command(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A file, a folder, or a URL of fsspec's.")],
    config: Annotated[Config | None, typer.Option(help="Only files of this kind; their names tell it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check; keep and move nothing.")] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Take in landing files: `…_artist_enrichment.jsonl` or `.parquet`. What was taken is moved to `ingested/`.

    Bad rows are told with their line, the others go on; of each artist the latest row counts. The same again is
    harmless. Exit code 1 if there were rows and none could be read.
    """
    kinds = [config.value] if config else [each.value for each in Config]
    with opened(data, with_tables=True) as fleet:
        done = warehouse.ingest(fleet.fleet, path, kinds, dry_run=dry_run)
    for file in done:
        note(f"{file.file}: {file.rows} rows, {file.artists} artists, {file.bad_count} rows rejected")
        for line, error in file.bad[:MOST_COMPLAINTS]:
            note(f"  line {line} rejected: {error}")
    if not done:
        note(f"{path}: no landing files")
    if json:
        print_json([file.shown() for file in done])
    raise typer.Exit(1 if any(file.bad_count and not file.rows for file in done) else 0)
