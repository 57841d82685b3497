"""How long to wait before asking again."""

from __future__ import annotations

RETRY_DELAYS = (15.0, 60.0, 300.0)
"""Seconds before each retry of a lookup whose upstream is ill."""
SHED_LIMIT = 5
"""How often an upstream may shed a lookup before that counts as an attempt."""
LONGEST_WISH = 3600.0
"""Seconds for which we leave a lookup or a host alone because an upstream wishes it: it may be anybody's."""


def retry_delay(attempt: int, jitter: float) -> float | None:
    """Seconds before the retry that follows failed attempt `attempt` (from 1); None after the last.

    jitter: 0 to 1, up to a tenth on top, so that what failed together is not asked again together.
    """
    if not 1 <= attempt <= len(RETRY_DELAYS):
        return None
    return RETRY_DELAYS[attempt - 1] * (1 + 0.1 * jitter)


def shed_delay(jitter: float) -> float:
    """1 to 4 seconds: the upstream sheds load, which passes soon. jitter: 0 to 1."""
    return 1.0 + 3.0 * jitter
