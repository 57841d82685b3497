"""merge(): from what the sources stated, the record, with where each value came from and why it was taken.

    locked by a person    wins always
    scalar                the highest confidence; sources that agree strengthen each other
    genres, aliases,      united
    images
    artists, tracklist    one source's list, whole
    identifiers           as scalars, but left out where nobody is sure: a wrong one spreads
    map                   key by key, as scalars; artwork whole, because its parts describe one picture

The result depends on the statements only, never on their order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from math import prod
from typing import Any, NamedTuple

from enrichment.domain.findings import Statement, origin, sure_enough
from enrichment.domain.genres import genre
from enrichment.domain.music import TEMPO_SLACK, camelot, from_camelot, read_key, same_tempo
from enrichment.domain.subjects import FIELDS, Field, Kind, clean_value
from enrichment.domain.text import clean, name_key

MOST_GENRES = 10
_LOCKED = "locked by a person"

_DURATION_SLACK_MS = 3_000
_WHOLE_MAPS = frozenset({"artwork"})


class Merged(NamedTuple):
    """A field's value in the record.

    source, stated_at: of the statement that won, or of the strongest of those united. confidence: 0 to 1, with the
    agreement of others counted in. reason: why this value. others: the statements that say something else.
    """

    value: Any
    source: str
    confidence: float
    stated_at: datetime
    reason: str = ""
    others: tuple[Statement, ...] = ()


def merge(kind: Kind, statements: Iterable[Statement]) -> dict[str, Merged]:
    """The record of a subject of this kind, by field. Statements about fields it cannot have, and values of the
    wrong type, are left out.
    """
    by_field: dict[str, list[Statement]] = {}
    for statement in statements:
        value = _normal(statement.field, clean_value(kind, statement.field, statement.value))
        if value is not None:
            as_stated = type(value) is type(statement.value) and value == statement.value
            kept = statement if as_stated else statement._replace(value=value)
            by_field.setdefault(statement.field, []).append(kept)
    record = {}
    for name, stated in sorted(by_field.items()):
        merged = _merge_field(FIELDS[kind][name], stated)
        if merged is not None and (sure_enough(name, merged.confidence) or merged.reason == _LOCKED):
            record[name] = merged
    return _derived(record, by_field) if kind is Kind.TRACK else record


def plain(merged: Mapping[str, Merged]) -> dict[str, Any]:
    """The record without its explanation: value by field."""
    return {name: field.value for name, field in merged.items()}


def _normal(field: str, value: Any) -> Any:
    """Keys in one spelling, so that "Am" and "A Minor" agree."""
    return read_key(value) or value if field == "key" and value is not None else value


def _merge_field(field: Field, stated: Sequence[Statement]) -> Merged | None:
    locked = [statement for statement in stated if statement.locked]
    if locked:
        newest = min(locked, key=_newest_first)
        return _merged(newest, newest.confidence, _LOCKED, others=_newest_of_each(stated))
    said = _newest_of_each(stated)
    if field.name in _UNITED:
        values = _UNITED[field.name](said)
        return _united(said)._replace(value=values) if values else None
    if field.shape == "list":
        return _best_list(said)
    if field.shape == "map" and field.name not in _WHOLE_MAPS:
        return _best_map(said)
    return _best(said)


def _newest_of_each(stated: Sequence[Statement]) -> list[Statement]:
    """A source's last word, in a fixed order: what it said before, it has taken back."""
    if len(stated) == 1:
        return list(stated)
    if len({statement.source for statement in stated}) == len(stated):
        return sorted(stated, key=_order)
    last: dict[str, Statement] = {}
    for statement in sorted(stated, key=_newest_first):
        last.setdefault(statement.source, statement)
    return sorted(last.values(), key=_order)


def _order(statement: Statement) -> tuple[float, float, str]:
    """Best first: highest confidence, then newest, then by name of the source: of those that have spoken once each
    there is never a tie.
    """
    return -statement.confidence, -statement.stated_at.timestamp(), statement.source


def _newest_first(statement: Statement) -> tuple[float, float, float, str, str]:
    """A source may have spoken twice in one moment."""
    return -statement.stated_at.timestamp(), *_order(statement), _canonical(statement.value)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _merged(winner: Statement, confidence: float, reason: str, others: Iterable[Statement] = ()) -> Merged:
    other = tuple(one for one in others if one is not winner and not _agree(one, winner))
    return Merged(winner.value, winner.source, round(confidence, 3), winner.stated_at, reason, other)


# --- scalars -------------------------------------------------------------------------------------------------------


def _best(said: Sequence[Statement]) -> Merged:
    """The value with the strongest support; of those that agree, the most exact and surest statement of it."""
    if len(said) == 1:
        return _merged(said[0], said[0].confidence, said[0].reason)
    if all(_is_the_same(one.value, said[0].value) for one in said):
        winner, agreeing, support = said[0], said, _support(said)
    else:
        company = [[other for other in said if other is one or _agree(other, one)] for one in said]
        supports = [_support(agreeing) for agreeing in company]
        at = min(range(len(said)), key=lambda at: (-round(supports[at], 9), -_precision(said[at]), *_order(said[at])))
        winner, agreeing, support = said[at], company[at], supports[at]
    also = sorted(one.source for one in agreeing if one is not winner)
    why = f"also said by {', '.join(also)}" if also else f"the surest of {len(said)}"
    reason = "; ".join(filter(None, (winner.reason, why)))
    others = tuple(one for one in said if not any(one is each for each in agreeing))
    return Merged(winner.value, winner.source, round(support, 3), winner.stated_at, reason, others)


def _is_the_same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def _support(agreeing: Iterable[Statement]) -> float:
    """The chance that not all who say so are wrong, each origin counted once."""
    sure: dict[str, float] = {}
    for each in agreeing:
        first = origin(each.source)
        sure[first] = max(sure.get(first, 0.0), each.confidence)
    return sure.popitem()[1] if len(sure) == 1 else 1 - prod(1 - sure[first] for first in sorted(sure))


def _agree(a: Statement, b: Statement) -> bool:
    if _is_the_same(a.value, b.value):
        return True
    if isinstance(a.value, str) and isinstance(b.value, str):
        left, right = clean(a.value).casefold(), clean(b.value).casefold()
        if a.field == "release_date":
            return left.startswith(right) or right.startswith(left)
        return left == right
    if _is_number(a.value) and _is_number(b.value):
        if a.field == "bpm":
            return same_tempo(a.value, b.value)
        if a.field == "duration_ms":
            return bool(abs(a.value - b.value) <= _DURATION_SLACK_MS)
    return _canonical(a.value) == _canonical(b.value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _precision(statement: Statement) -> int:
    """A full date says more than its year."""
    return len(statement.value) if statement.field == "release_date" else 0


# --- lists and maps ------------------------------------------------------------------------------------------------


def _united(said: Sequence[Statement]) -> Merged:
    """What is common to all united values; the caller puts in the value."""
    first = said[0]
    reason = f"united from {', '.join(one.source for one in said)}" if len(said) > 1 else first.reason
    return Merged(first.value, first.source, round(first.confidence, 3), first.stated_at, reason)


def _genres(said: Sequence[Statement]) -> list[Any]:
    """By the sum of the confidence of those who say so, each origin once; then as the surest source orders them."""
    weight: dict[str, dict[str, float]] = {}
    for statement in said:
        first = origin(statement.source)
        for name in filter(None, map(_genre, statement.value)):
            by_origin = weight.setdefault(name, {})
            by_origin[first] = max(by_origin.get(first, 0.0), statement.confidence)
    return sorted(weight, key=lambda name: -round(sum(sorted(weight[name].values())), 9))[:MOST_GENRES]


def _genre(name: Any) -> str:
    """In the vocabulary where it is there: whoever states a genre past the sources spells it as they like."""
    return genre(name) or clean(name).lower() if isinstance(name, str) else ""


def _aliases(said: Sequence[Statement]) -> list[Any]:
    """Each name once, as the surest source spells it."""
    aliases: dict[str, str] = {}
    for name in (name for statement in said for name in statement.value if isinstance(name, str)):
        if key := name_key(name):
            aliases.setdefault(key, name)
    return list(aliases.values())


def _images(said: Sequence[Statement]) -> list[Any]:
    """Each address once, as the surest source describes it; the largest first."""
    images: dict[str, Any] = {}
    for statement in said:
        for image in statement.value:
            if isinstance(image, dict) and isinstance(image.get("url"), str):
                images.setdefault(image["url"], image)
    return sorted(images.values(), key=lambda image: (-_area(image), image["url"]))


def _area(image: Mapping[str, Any]) -> float:
    width, height = image.get("width"), image.get("height")
    return float(width * height) if isinstance(width, int | float) and isinstance(height, int | float) else 0.0


_UNITED: dict[str, Callable[[Sequence[Statement]], list[Any]]] = {
    "genres": _genres,
    "aliases": _aliases,
    "images": _images,
}


def _best_list(said: Sequence[Statement]) -> Merged:
    """The surest source's list, the longest of equally sure ones. Lists are never mixed: their order has a meaning."""
    best = min(said, key=lambda one: (-one.confidence, -len(one.value), *_order(one)))
    return _merged(best, best.confidence, best.reason or f"the surest of {len(said)}", others=said)


def _best_map(said: Sequence[Statement]) -> Merged:
    if len(said) == 1:
        return _united(said)._replace(value=dict(sorted(said[0].value.items())))
    by_key: dict[str, list[Statement]] = {}
    for statement in said:
        for key, value in statement.value.items():
            by_key.setdefault(key, []).append(statement._replace(value=value))
    best = {key: _best(stated) for key, stated in sorted(by_key.items())}
    return _united(said)._replace(value={key: merged.value for key, merged in best.items()})


# --- what follows from other fields --------------------------------------------------------------------------------


def _derived(record: dict[str, Merged], stated: Mapping[str, Sequence[Statement]]) -> dict[str, Merged]:
    """The record of a track with `camelot` from `key` (or the other way round) and the tempi that others state."""
    for field, other, convert in (("camelot", "key", camelot), ("key", "camelot", from_camelot)):
        base = record.get(other)
        is_locked = field in record and record[field].reason == _LOCKED
        value = convert(base.value) if base and not is_locked else None
        if base and value and (field == "camelot" or field not in record):
            record[field] = Merged(value, base.source, base.confidence, base.stated_at, f"from {other}")
    return record | _tempi(record.get("bpm"), record.get("bpm_alternatives"), stated.get("bpm", ()))


def _tempi(bpm: Merged | None, known: Merged | None, stated: Sequence[Statement]) -> dict[str, Merged]:
    """`bpm_alternatives`: tempi that differ from the chosen one, half and double among them, each once and in order."""
    if bpm is None or (known and known.reason == _LOCKED):
        return {}
    tempi = [bpm.value, *(tempo for tempo in (known.value if known else ()) if _is_number(tempo))]
    first = len(tempi)
    for statement in _newest_of_each(stated):
        if not any(same_tempo(statement.value, tempo) for tempo in tempi):
            tempi.append(statement.value)
    others = sorted(tempi[1:])
    if len(tempi) == first or not others:
        return {}
    reason = f"tempi that differ by more than {TEMPO_SLACK:.0%}"
    return {"bpm_alternatives": Merged(others, bpm.source, bpm.confidence, bpm.stated_at, reason)}
