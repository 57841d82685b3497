"""`linernotes parse` as a process: a line in, a line out, whatever it holds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Linernotes


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_in_a_line_out(linernotes: Linernotes) -> None:
    given = "\ufeff01. Adele - Hello (Kygo Remix) [XL]\r\n\n[12:00] ID - ID\n"
    done = linernotes("parse", given=given.encode() + b"Caf\xe9 - \xff\nA b2b B")
    assert done.returncode == 0, done.stderr
    first, empty, unknown, broken, lineup = lines(done.stdout)
    assert first["artists"] == [{"name": "Adele", "role": "main"}, {"name": "Kygo", "role": "remixer"}]
    assert (first["title"], first["version"], first["label"]) == ("Hello", "Kygo Remix", "XL")
    assert first["unknown"] is False
    assert empty["unknown"] is True
    assert (unknown["unknown"], unknown["time"]) == (True, "12:00")
    assert broken["kind"] == "track"
    assert lineup["kind"] == "lineup"


def test_a_file_its_grammar_and_its_names(linernotes: Linernotes, data: Path) -> None:
    (data / "lines.txt.gz").write_bytes(gzip.compress(b"Airey & Trippier\nRune Steen\n"))
    (data / "names.txt").write_text("Airey & Trippier\n", "utf-8")
    done = linernotes("parse", "lines.txt.gz", "--as", "lineup", "--names", "names.txt")
    assert done.returncode == 0, done.stderr
    assert [[artist["name"] for artist in line["artists"]] for line in lines(done.stdout)] == [
        ["Airey & Trippier"],
        ["Rune Steen"],
    ]


def test_a_file_that_is_not_there_is_wrong_usage(linernotes: Linernotes) -> None:
    done = linernotes("parse", "nowhere.txt")
    assert done.returncode == 2
    assert "nowhere.txt" in done.stderr
    assert not done.stdout
