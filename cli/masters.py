"""The embedded fleet's own master keys: a file of its data folder, for its user alone, which processes read anew."""

from __future__ import annotations

import os
from pathlib import Path

from enrichment.reservoir.keys import new_master

NAME = "secret_keys"


def made(data: Path) -> Path:
    """The file, made where there is none."""
    path = data / NAME
    if not path.exists():
        _write(path, [new_master()])
    return path


def add(path: Path) -> None:
    """A new master key, which seals from now on; what older ones have sealed opens as before."""
    _write(path, [new_master(), *_lines(path)])


def drop_old(path: Path) -> None:
    """The first one alone is left."""
    _write(path, _lines(path)[:1])


def _lines(path: Path) -> list[str]:
    return path.read_text("ascii").split()


def _write(path: Path, lines: list[str]) -> None:
    """All of it or nothing: whoever reads meanwhile has the old ones, or the new ones."""
    scratch = path.with_name(f"{NAME}.new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    with scratch.open("a", encoding="ascii") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
