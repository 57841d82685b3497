"""The simulated upstreams, one module each; adding one is adding its file here."""

from __future__ import annotations

import importlib
import pkgutil

from simulator.upstreams.base import Part, Shelf, Upstream


def every() -> list[type[Upstream]]:
    """The upstreams' classes, by module name."""
    found = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        content = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        found += [c for c in content if isinstance(c, type) and issubclass(c, Upstream) and "source" in vars(c)]
    return list(dict.fromkeys(found))


__all__ = ["Part", "Shelf", "Upstream", "every"]
