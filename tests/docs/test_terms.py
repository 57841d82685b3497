"""The page on terms says what the sources declare."""

from __future__ import annotations

from collections.abc import Iterator

from enrichment.bootstrap import make_sources
from enrichment.domain.questions import Terms
from enrichment.settings import load
from tests.docs.pages import table_under


def rows() -> Iterator[list[str]]:
    """A row for each source, and one for its fields under other terms."""
    for name, source in make_sources(load({})).items():
        apart: dict[int, list[str]] = {}
        for field, terms in sorted(source.terms.by_field.items()):
            apart.setdefault(id(terms), []).append(field)
        yield row(name, [], source.terms)
        for fields in apart.values():
            yield row(name, fields, source.terms.of(fields[0]))


def row(name: str, fields: list[str], terms: Terms) -> list[str]:
    """The cells of a row."""
    shown = f"[{terms.attribution}]({terms.url})" if terms.url else terms.attribution
    kept = "" if terms.keep_seconds is None else f"{terms.keep_seconds / 3600:g} h"
    named = ", ".join(f"`{field}`" for field in fields)
    return [f"`{name}`", named, shown, terms.licence, "yes" if terms.commercial else "no", kept]


def test_the_table_is_what_the_sources_declare() -> None:
    expected = list(rows())
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in expected)
    assert table_under("docs/terms.md", "## What each source asks") == expected, f"the table should be:\n{lines}"
