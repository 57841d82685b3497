"""Calls of the service and how its answers are read. No I/O here."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import httpx

Answer = dict[str, Any]
"""The service's JSON object, as it came."""

_NEXT_TOO = {401, 403, 408, 425, 429}
"""Refusals that would meet any other request as well: no key to the door, or the door is shut for a while."""


class EnrichmentError(Exception):
    """The service has not done what it was asked."""


class ServiceUnavailable(EnrichmentError):  # noqa: N818 - a state of the service
    """Nobody is there, it is ill, it does not let us in, or something else answers in its place."""


class ServiceTimeout(EnrichmentError):  # noqa: N818 - what it is called
    """No answer in time. The request may have been accepted all the same."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds} s")
        self.seconds = seconds


class RequestRefused(EnrichmentError):  # noqa: N818 - it is the request that is bad
    """It is this one request that cannot be taken: bad input, an unknown id, too large."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {detail}")
        self.status = status


@dataclass(frozen=True)
class Call:
    """One request. seconds: how long its answer may take; may_be_unknown: 404 is an answer, the empty one."""

    method: str
    path: str
    seconds: float
    params: Mapping[str, int] = field(default_factory=dict)
    content: Any = None
    may_be_unknown: bool = False


T = TypeVar("T")
Steps = Generator[Call, Answer, T]
"""Calls, each answered before the next is made, and what comes of them: the same for both clients."""


def read(call: Call, response: httpx.Response) -> Answer:
    """The answer. Raises ServiceUnavailable and RequestRefused."""
    status = response.status_code
    if status == 404 and call.may_be_unknown:
        return {}
    if not response.is_success:
        said = f"{response.reason_phrase} {response.text[:200]}".strip()
        if 400 <= status < 500 and status not in _NEXT_TOO:
            raise RequestRefused(status, said)
        raise ServiceUnavailable(f"{status} {said}")
    try:
        answer = json.loads(response.content)
    except ValueError as error:
        raise ServiceUnavailable(f"not JSON: {response.text[:200]!r}") from error
    if not isinstance(answer, dict):
        raise ServiceUnavailable(f"no JSON object: {response.text[:200]!r}")
    return answer


@dataclass
class Statistics:
    """Of one client's calls since it was made, counted from any thread. seconds: their sum."""

    calls: int = 0
    answered: int = 0
    refused: int = 0
    unavailable: int = 0
    timeouts: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def count(self, outcome: str, seconds: float) -> None:
        """One call. outcome: `answered`, `refused`, `unavailable` or `timeouts`."""
        with self._lock:
            self.calls += 1
            self.seconds += seconds
            setattr(self, outcome, getattr(self, outcome) + 1)

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)
