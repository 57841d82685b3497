"""What goes wrong at the upstreams: scenarios of the simulator, and how long a call may hold its lookups then."""

from __future__ import annotations

from typing import Any

BUSY = ("deezer", "musicbrainz", "listenbrainz", "lastfm", "spotify")
"""Sources that are asked all the time."""

LONGEST = """
SELECT max(extract(epoch FROM coalesce(until, clock_timestamp()) - at))::float AS seconds FROM (
    SELECT at, after, lead(at) OVER (PARTITION BY lookup_id ORDER BY n) AS until FROM chaos.moves
) held WHERE after = 'claimed'
"""
LONGEST_CLAIM = 75.0
"""Seconds: the longest deadline of any source, Wikidata's minute, and its settling."""


def _status(status: int, share: float, body: str = "", **headers: str) -> dict[str, Any]:
    return {"fault": "status", "status": status, "share": share, "body": body, "headers": headers}


_ODD = (
    '{"data": [1, 2',
    "[]",
    "null",
    '"text"',
    '{"error": "\\u0000"}',
    '{"results": {"a": 1}, "data": 7, "tracks": "x"}',
)

SCENARIOS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "5xx": ("30 % of calls answered 500, 502 or 503", [_status(status, 0.1) for status in (500, 502, 503)]),
    "hang": (
        "5 % of calls each: no answer for 12 s, an answer that drips for 20 s, an empty body, one of 24 MB",
        [
            {"fault": "hang", "seconds": 12, "share": 0.05},
            {"fault": "slow_drip", "seconds": 20, "share": 0.05},
            {"fault": "empty", "share": 0.05},
            {"fault": "huge", "bytes": 24_000_000, "share": 0.02},
        ],
    ),
    "garbage": (
        "a third of calls answered with bytes, HTML, half an answer, or JSON of another shape",
        [
            *({"fault": fault, "share": 0.05} for fault in ("garbage", "html", "truncated")),
            *(_status(200, 0.03, body, **{"content-type": "application/json"}) for body in _ODD),
            _status(200, 0.01, "[" + "0," * 999_999 + "0]", **{"content-type": "application/json"}),
        ],
    ),
    "reset": ("10 % of connections cut", [{"fault": "reset", "share": 0.1}]),
}

EVERYTHING: list[dict[str, Any]] = [
    *(_status(status, 0.03) for status in (500, 503)),
    {"fault": "reset", "share": 0.02},
    {"fault": "rate", "share": 0.005, "retry_after": 3},
]
