"""Fleets with a broken part, each with the fault that shows it: the harness has to see what is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Control:
    """app: the workers' application. sees: the figure of the row that may not be zero then. drain: seconds."""

    name: str
    fault: str
    app: str
    sees: str
    drain: float = 2.0


CONTROLS = {
    each.name: each
    for each in (
        Control("no-steward", "kill", "bench.chaos.broken.no_steward", "lost", drain=4.0),
        Control("early-turn", "pause", "bench.chaos.broken.early_turn", "limits"),
        Control("no-fence", "thaw", "bench.chaos.broken.no_fence", "twice"),
        Control("stock-transport", "redis-stop", "bench.chaos.broken.stock_transport", "falls", drain=60.0),
    )
}
