"""A finding: one field's value as one source stated it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from enrichment.domain.subjects import Kind


class Finding(NamedTuple):
    """What a source's reply says about one field.

    confidence: 0 to 1, how sure the source and the match behind it are.
    about: None for the subject that was asked about; PERFORMER or ALBUM where a reply about a track (or album) also
        states something of its performer (or album). `title` about an ALBUM names the album, so that it can be created.
    reason: why this reply was taken for this subject, in words a person can check.
    """

    field: str
    value: Any
    confidence: float
    about: Kind | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several that a source may mean, for a person to judge.

    id: within its source. score: 0 to 1, how likely it is. reasons: what speaks for and against it. findings: what the
    source says of it, as sure as if it were the one.
    """

    id: str
    name: str
    score: float
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


PERSON = "person"
"""The source of what a person has locked."""
PRODUCER = "producer"
"""The source of what a producer handed in with its request: known, but found by nobody."""


class Statement(NamedTuple):
    """A finding as it is kept: with its source and the moment the source said it.

    A tuple: a fleet reads hundreds for each track, and to make a frozen dataclass takes three times as long.
    """

    field: str
    value: Any
    confidence: float
    source: str
    stated_at: datetime
    reason: str = ""
    locked: bool = False


def marks(field: str, value: Any) -> list[str]:
    """What of a finding tells whom a reply is about: an identifier, the addresses of pages."""
    if field == "external_urls" and isinstance(value, dict):
        return [url for url in value.values() if isinstance(url, str)]
    return [str(value)] if field.endswith("_id") else []


ORIGIN = {"listenbrainz": "musicbrainz", "coverartarchive": "musicbrainz"}
"""Sources that repeat another one's data: neither a second witness nor a second chance."""


def origin(source: str) -> str:
    """Whose data a source has."""
    return ORIGIN.get(source, source)


LEAST_SURE = 0.35


def sure_enough(field: str, confidence: float) -> bool:
    """May this be acted upon? An identifier that is a mere hint must not: what is asked by it may be about another."""
    return confidence >= LEAST_SURE or not (field.endswith("_id") or field == "isrc")
