"""Faults on demand, by a scenario: a list of rules, each a JSON object (docs: `Rule`)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator import dice

KINDS = ("status", "hang", "slow_drip", "reset", "garbage", "html", "truncated", "empty", "huge", "rate")


@dataclass(slots=True)
class Rule:
    """What goes wrong, where and when.

    source: its name, or "" for all. path: a regular expression searched in the path behind the source's name.
    from, until: seconds since the simulator started. share: of the requests, chosen by hash of request and count.
    fault: `status` (status, headers, body), `hang` (seconds, then the connection drops), `slow_drip` (the answer over
    `seconds`), `reset` (the connection is cut), `garbage`, `html` (both with status), `truncated`, `empty`, `huge`
    (bytes), `rate` (refused as for a broken limit; retry_after seconds).
    """

    fault: str
    source: str = ""
    path: str = ""
    since: float = 0.0
    until: float = math.inf
    share: float = 1.0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 30.0
    size: int = 64 * 1024 * 1024
    retry_after: float = 5.0


def read(rules: Any) -> list[Rule]:
    """The rules of a scenario. Raises ValueError that says which one is wrong."""
    if isinstance(rules, dict):
        rules = rules.get("rules")
    if not isinstance(rules, list):
        raise ValueError("a scenario is a list of rules, or an object with the list under `rules`")  # noqa: TRY004 - a value read from a file
    return [_read_rule(number, rule) for number, rule in enumerate(rules)]


def _read_rule(number: int, rule: Any) -> Rule:
    if not isinstance(rule, dict) or rule.get("fault") not in KINDS:
        raise ValueError(f"rule {number}: `fault` must be one of {', '.join(KINDS)}")
    renamed = {"from": "since", "bytes": "size"}
    try:
        made = Rule(**{renamed.get(str(name), str(name)): value for name, value in rule.items()})
        re.compile(made.path)
    except (TypeError, re.error) as error:
        raise ValueError(f"rule {number}: {error}") from error
    if made.until is None:
        made.until = math.inf
    return made


def load(path: str | Path) -> list[Rule]:
    """The rules of a scenario file. Raises ValueError for one that is not a scenario."""
    return read(json.loads(Path(path).read_text("utf-8")))


class Scenario:
    """The rules in force, and how many requests met each."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = list(rules)
        self._met = [0] * len(self.rules)

    def fault(self, source: str, path: str, seconds: float) -> Rule | None:
        """The first rule that strikes this request, `seconds` after the start."""
        for number, rule in enumerate(self.rules):
            if rule.source not in ("", source) or not rule.since <= seconds < rule.until:
                continue
            if rule.path and not re.search(rule.path, path):
                continue
            self._met[number] += 1
            if rule.share >= 1 or dice.share("fault", number, source, path, self._met[number]) < rule.share:
                return rule
        return None
