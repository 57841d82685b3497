"""The pages a person reads, and the blocks of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "client" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code. line: where it begins."""

    page: Path
    line: int
    code: str

    def __str__(self) -> str:
        """For the names of tests."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """A page as people call it."""
    return str(page.relative_to(ROOT))


def blocks(language: str) -> list[Block]:
    """All blocks of this language, in all pages."""
    return [block for page in PAGES for block in _blocks(page, language)]


def _blocks(page: Path, language: str) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in _BLOCK.finditer(text):
        if match["language"] == language:
            yield Block(page, text.count("\n", 0, match.start()) + 1, match["code"])


def without_blocks(page: Path) -> str:
    """The prose of a page."""
    return _BLOCK.sub("", page.read_text("utf-8"))


def table_under(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    text = (ROOT / page).read_text("utf-8")
    section = text.partition(f"\n{heading}\n")[2]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    first = section[section.index(lines[0]) :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in first[2:]]
