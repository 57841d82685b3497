"""`linernotes parse`: lines as people write them in, one JSON object each out. Needs no fleet and no network."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

from cli.show import dumps
from enrichment.domain.parsing import Line, dictionary, read_all, read_line, read_lineup
from enrichment.domain.parsing.credits import Known, is_well_known


class Grammar(StrEnum):
    """What the lines are."""

    AUTO = "auto"
    TRACK = "track"
    LINEUP = "lineup"


def parse(file: str, grammar: Grammar, names: Path | None) -> int:
    """Exit code. file: a path, "-" for stdin. names: a file of known performers' names, one a line."""
    known = dictionary(names.read_text("utf-8", "replace").splitlines()) if names else is_well_known
    with opened(file) as data:
        for line in _read(lines(data), grammar, known):
            sys.stdout.write(f"{dumps(line.as_json())}\n")
    sys.stdout.flush()
    return 0


def _read(texts: Iterator[str], grammar: Grammar, known: Known) -> Iterator[Line]:
    if grammar is Grammar.AUTO:
        return read_all(texts, known)
    rule = read_line if grammar is Grammar.TRACK else read_lineup
    return (rule(text, known) for text in texts)


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """A file to read, also gzipped; "-" is stdin."""
    if file == "-":
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as data:
        yield cast(IO[bytes], gzip.open(data)) if file.endswith(".gz") else data  # noqa: SIM115 - ends with the file


def lines(data: IO[bytes]) -> Iterator[str]:
    """The lines, whatever bytes they hold: what is no UTF-8 becomes a replacement character."""
    for number, line in enumerate(data):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        yield text.removeprefix("\ufeff") if not number else text
