"""Which subjects may be one, and why; which of two stays. A name alone proposes nobody.

    same identifier       of one source, whatever else is known: one id is never on two subjects without being seen
    alias                 performers: the name of one is an alias of the other, and no identifier tells them apart
    ISRC and duration     tracks: equal, and at most 3 s apart, unless titles or versions say that they are two

A release group is no identifier of an album here: it holds all its editions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from enrichment.domain.matching import Match, Side, match
from enrichment.domain.subjects import Kind
from enrichment.domain.text import name_key

IDENTIFIERS: Mapping[Kind, tuple[str, ...]] = {
    Kind.PERFORMER: ("musicbrainz_id", "spotify_id", "discogs_id", "deezer_id", "wikidata_id", "ra_artist_id"),
    Kind.ALBUM: ("musicbrainz_release_id", "spotify_id", "discogs_id", "deezer_id", "barcode"),
    Kind.TRACK: ("musicbrainz_id", "spotify_id", "deezer_id"),
}
"""Fields of which two subjects with one value may be the same."""
CERTAIN = frozenset({"musicbrainz_id", "musicbrainz_release_id", "spotify_id"})
SURE, WITNESSES = 0.8, 2
"""Confidence from which a statement counts towards certainty, and how many sources must agree, of either subject."""
DURATION_SLACK_MS = 3_000


@dataclass(frozen=True, slots=True)
class Known:
    """A subject. values: its record. sure: by identifier the sources that state its value surely, each origin once."""

    values: Mapping[str, Any]
    sure: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Why two may be one. unlike: identifiers that say they are not. certain: may it be merged without a person?"""

    reasons: tuple[str, ...]
    shared: Mapping[str, str]
    unlike: Mapping[str, tuple[str, str]]
    match: Match
    certain: bool


def compare(kind: Kind, a: Known, b: Known) -> Proposal | None:
    """What speaks for the two being one; None where nothing does but names."""
    both = {
        name: (a.values[name], b.values[name]) for name in IDENTIFIERS[kind] if name in a.values and name in b.values
    }
    shared = {name: one for name, (one, other) in both.items() if one == other}
    unlike = {name: pair for name, pair in both.items() if name not in shared}
    judged = match(_side(kind, a.values), _side(kind, b.values))
    reasons = [f"same {name}: {value}" for name, value in shared.items()]
    if kind is Kind.PERFORMER and not unlike:
        reasons += [*_alias(a.values, b.values), *_alias(b.values, a.values)]
    if kind is Kind.TRACK and judged.verdict != "different":
        reasons += _recording(a.values, b.values)
    if not reasons:
        return None
    told = [name for name in shared if name in CERTAIN and min(len(x.sure.get(name, ())) for x in (a, b)) >= WITNESSES]
    return Proposal(tuple(reasons), shared, unlike, judged, bool(told and not unlike and judged.verdict == "same"))


def _side(kind: Kind, values: Mapping[str, Any]) -> Side:
    if kind is Kind.PERFORMER:
        return Side(artist=values["name"])
    title = {"title": values["title"]} if kind is Kind.TRACK else {"album": values["title"]}
    return Side(
        artist=values["artist_name"],
        duration_ms=values.get("duration_ms"),
        isrc=(values["isrc"],) if "isrc" in values else (),
        label=values.get("label", ""),
        **title,
    )


def _alias(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    known_as = {name_key(alias) for alias in b.get("aliases", ()) if isinstance(alias, str)}
    return [f"{b['name']!r} is also known as {a['name']!r}"] if name_key(a["name"]) in known_as else []


def _recording(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    if "isrc" not in a or a["isrc"] != b.get("isrc") or not {"duration_ms"} <= a.keys() & b.keys():
        return []
    apart = abs(a["duration_ms"] - b["duration_ms"])
    return [f"same ISRC: {a['isrc']}, {apart / 1000:.1f} s apart"] if apart <= DURATION_SLACK_MS else []


@dataclass(frozen=True, slots=True)
class Weight:
    """What decides who stays. locked: has a person decided a field of it?"""

    id: UUID
    locked: bool
    findings: int
    created_at: datetime


def stays(a: Weight, b: Weight) -> tuple[Weight, Weight]:
    """The one that stays, and the other: a person's lock first, then more findings, then the older one."""
    first, second = sorted((a, b), key=lambda each: (not each.locked, -each.findings, each.created_at, each.id.bytes))
    return first, second
