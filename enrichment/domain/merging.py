"""stand-in"""

from __future__ import annotations
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from enrichment.domain.findings import Statement
from enrichment.domain.subjects import FIELDS, Kind


@dataclass(frozen=True, slots=True)
class Merged:
    value: Any
    source: str
    confidence: float
    stated_at: datetime


def merge(kind: Kind, statements: Iterable[Statement]) -> dict[str, Merged]:
    out: dict[str, Merged] = {}
    for s in sorted(statements, key=lambda s: (s.locked, s.confidence, s.stated_at)):
        if s.field in FIELDS[kind]:
            out[s.field] = Merged(s.value, s.source, s.confidence, s.stated_at)
    return out


def plain(merged: Mapping[str, Merged]) -> dict[str, Any]:
    return {k: m.value for k, m in merged.items()}
