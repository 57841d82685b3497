"""What the simulator saw: a line for each request, and counters by source. Outside tests judge the fleet by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.limits import Limit


@dataclass(slots=True)
class Tally:
    """The counters of one source; `first` and `last` are times of arrival."""

    requests: int = 0
    ok: int = 0
    over_limit: int = 0
    in_pause: int = 0
    fault: int = 0
    items: int = 0
    first: float | None = None
    last: float | None = None


class Witness:
    """Keeps the log and the counters. `write` gathers lines, `flush` puts them into the file."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path else None
        self._file = self.path.open("a", encoding="utf-8") if self.path else None
        self._lines: list[str] = []
        self.offset = self._file.tell() if self._file else 0
        self.tallies: dict[str, Tally] = {}

    def write(
        self, t: float, source: str, method: str, path: str, *, status: int, verdict: str, items: int, seconds: float
    ) -> None:
        """One request, by its arrival. A status of 0 stands for a connection that was cut. seconds: to its answer."""
        tally = self.tallies.setdefault(source, Tally())
        tally.requests += 1
        tally.items += items
        tally.first = t if tally.first is None else tally.first
        tally.last = t
        setattr(tally, verdict, getattr(tally, verdict) + 1)
        if self._file:
            line = {"t": t, "source": source, "method": method, "path": path, "status": status, "verdict": verdict}
            self._lines.append(json.dumps({**line, "items": items, "seconds": seconds}, ensure_ascii=False) + "\n")

    def flush(self) -> None:
        """Everything written so far is in the file."""
        if self._file and self._lines:
            self._file.write("".join(self._lines))
            self._file.flush()
            self._lines.clear()

    def reset(self) -> None:
        """Counters at zero; `offset` is where the log goes on."""
        self.flush()
        self.offset = self._file.tell() if self._file else 0
        self.tallies.clear()

    def close(self) -> None:
        """The log is whole and closed."""
        self.flush()
        if self._file:
            self._file.close()

    def stats(self, documented: Mapping[str, Limit | None]) -> dict[str, Any]:
        """By source: requests, ok, over_limit, in_pause, faults, items, first, last, and the documented limit."""
        sources = {}
        for source, limit in documented.items():
            tally = self.tallies.get(source) or Tally()
            sources[source] = {
                "requests": tally.requests,
                "ok": tally.ok,
                "over_limit": tally.over_limit,
                "in_pause": tally.in_pause,
                "faults": tally.fault,
                "items": tally.items,
                "first": tally.first,
                "last": tally.last,
                "limit": {"burst": limit.burst, "rate": limit.rate} if limit else None,
            }
        return {"sources": sources, "log": {"path": str(self.path) if self.path else None, "offset": self.offset}}
