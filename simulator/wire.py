"""Requests and replies as the upstreams see them, free of any server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

JSON = "application/json; charset=utf-8"


@dataclass(slots=True)
class Request:
    """One request. `path` begins behind the source's name; `base` is the simulator's address as the caller wrote it."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = ""
    now: float = 0.0
    _args: dict[str, list[str]] | None = None

    @property
    def args(self) -> dict[str, list[str]]:
        """The query's values by name."""
        if self._args is None:
            self._args = {}
            for name, value in parse_qsl(self.query, keep_blank_values=True, errors="replace"):
                self._args.setdefault(name, []).append(value)
        return self._args

    def arg(self, name: str, default: str = "") -> str:
        """The last value of this name."""
        return self.args.get(name, [default])[-1]

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A number between bounds; what is not one counts as not given."""
        text = self.arg(name)
        return max(least, min(most, int(text))) if text.lstrip("-").isdecimal() else default

    def json(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(slots=True)
class Reply:
    """One reply. `items`: how many things were asked about. `verdict` other than "ok" where it refuses or fails on
    purpose, `wait` the seconds it then names.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    items: int = 1
    verdict: str = "ok"
    wait: float = 0.0


def json_reply(
    content: Any, status: int = 200, *, content_type: str = JSON, items: int = 1, headers: dict[str, str] | None = None
) -> Reply:
    """A reply in compact JSON, in UTF-8."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Reply(status, body, {"content-type": content_type, **(headers or {})}, items)
