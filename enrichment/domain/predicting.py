"""How likely a source knows a subject, learnt from what sources have answered: a logistic model for each question.

Features are plain words, so a model is a table of weights: "script:cyrillic", "decade:1990", "found:deezer.search". For
which questions it pays is decided where it is trained (services/training.py).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

from enrichment.domain.text import split_title

FIELDS = ("release_date", "popularity", "genres", "country_code", "isrc", "musicbrainz_id", "spotify_id")
"""Fields that tell who is likely to know a subject."""
_IDS = ("isrc", "musicbrainz_id", "spotify_id")
_GENRES = 3
_POPULARITY_STEP = 20
GRAIN = 20
"""Chances are rounded to so many parts: subjects in one situation share one plan."""


def features(values: Mapping[str, Any], found: Iterable[str], missed: Iterable[str]) -> frozenset[str]:
    """What tells who is likely to know a subject.

    values: its record. found, missed: questions ("source.question") that were answered with something, with nothing.
    """
    return frozenset(_told(values)) | {f"found:{name}" for name in found} | {f"missed:{name}" for name in missed}


def _told(values: Mapping[str, Any]) -> Iterator[str]:
    yield f"script:{_script(str(values.get('name') or values.get('artist_name') or ''))}"
    if split_title(str(values.get("title") or "")).version:
        yield "version"
    if decade := str(values.get("release_date") or "")[:3]:
        yield f"decade:{decade}0"
    if (popularity := values.get("popularity")) is not None:
        yield f"popularity:{popularity // _POPULARITY_STEP * _POPULARITY_STEP}"
    if country := values.get("country_code"):
        yield f"country:{country}"
    yield from (f"genre:{genre}" for genre in (values.get("genres") or [])[:_GENRES])
    yield from (f"has:{name}" for name in _IDS if values.get(name))


def _script(name: str) -> str:
    """Of the first letter: "latin", "cyrillic", "hiragana"."""
    letter = next(filter(str.isalpha, name), "")
    return unicodedata.name(letter, "none").partition(" ")[0].lower() if letter else "none"


@dataclass(frozen=True, slots=True)
class Model:
    """Weights in log-odds."""

    intercept: float
    weights: Mapping[str, float]

    def chance(self, told: Iterable[str]) -> float:
        """How likely the question is answered with something, 0 to 1, in steps of 1 / GRAIN."""
        odds = self.intercept + sum(self.weights.get(name, 0.0) for name in told)
        return round(GRAIN / (1 + exp(-max(-30.0, min(30.0, odds))))) / GRAIN
