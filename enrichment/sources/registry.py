"""Which sources there are: those of this package, and those that others install. Nothing here names any of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

import structlog

from enrichment import sources
from enrichment.sources.base import Source

GROUP = "linernotes.sources"
"""The entry point group under which others offer classes derived from `Source`."""

_log = structlog.get_logger()


def builtin_sources(
    options: Mapping[str, Mapping[str, str]] | None = None, *, offered: Iterable[metadata.EntryPoint] | None = None
) -> dict[str, Source[Any]]:
    """Every source by name, in the order of names; options: for each source those that the operator set.

    A third party's source that cannot be loaded, or takes the name of another, is reported and left out. offered: the
    third parties' entry points; by default those that are installed.
    """
    options = options or {}
    found = {kind.name: kind(options.get(kind.name)) for kind in _ours()}
    entries = metadata.entry_points(group=GROUP) if offered is None else offered
    for entry in sorted(entries, key=lambda entry: entry.name):
        try:
            source = _load(entry, options)
        except Exception:  # noqa: BLE001 - somebody else's code may raise anything, and the others must still work
            _log.warning("Source could not be loaded", entry_point=entry.value, exc_info=True)
            continue
        if source.name in found:
            _log.warning("Source left out, its name is taken", entry_point=entry.value, source=source.name)
            continue
        found[source.name] = source
    return dict(sorted(found.items()))


def _ours() -> Iterator[type[Source[Any]]]:
    for module in pkgutil.iter_modules(sources.__path__):
        content = vars(importlib.import_module(f"{sources.__name__}.{module.name}"))
        own = (kind for kind in content.values() if isinstance(kind, type) and kind.__module__ == content["__name__"])
        yield from (kind for kind in own if issubclass(kind, Source) and "name" in vars(kind))


def _load(entry: metadata.EntryPoint, options: Mapping[str, Mapping[str, str]]) -> Source[Any]:
    kind = entry.load()
    if not (isinstance(kind, type) and issubclass(kind, Source)):
        raise TypeError(f"{entry.value} is not a class derived from Source")
    return kind(options.get(kind.name))
