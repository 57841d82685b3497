"""What an event says: itself, and who plays, out of Resident Advisor's structured artists and the line-up as a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from enrichment.domain.findings import Finding
from enrichment.domain.parsing import dictionary, read_lineup
from enrichment.domain.text import name_key, words
from enrichment.reservoir.events import AtRA
from enrichment.services import brought
from enrichment.services.fleet import Fleet
from enrichment.services.requests import LONGEST_NAME, BadRequest, Id, Name, complaints
from enrichment.sources import residentadvisor

_LINE_UP = ("lineup_raw", "lineup", "line_up")
_MOMENT = re.compile(r"\d{1,2}|[\d\s.:/-]*\d[.:/][\d\s.:/-]*")
"""Dates and times are no names: "31", "15.02.2025", "11.10./ 22:00"."""
_BRACKET = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")


def _named(value: Any) -> Any:
    """RA's objects by their name: `{"id": "1", "name": "Bassiani"}`."""
    found = value.get("name") if isinstance(value, dict) else value
    return found or None


def _day(value: Any) -> Any:
    """RA dates its events with a time at midnight."""
    return value[:10] if isinstance(value, str) else value


class Event(BaseModel):
    """An event. What it holds besides is kept as it is."""

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    event_id: Id = Field(validation_alias=AliasChoices("event_id", "id"))
    title: Name = Field(validation_alias=AliasChoices("title", "name"))
    venue: Annotated[Name | None, BeforeValidator(_named)] = None
    area: Annotated[Name | None, BeforeValidator(_named)] = None
    event_date: Annotated[date | None, BeforeValidator(_day)] = Field(
        default=None, validation_alias=AliasChoices("event_date", "date")
    )
    url: Annotated[Name | None, BeforeValidator(_named)] = Field(
        default=None, validation_alias=AliasChoices("url", "contentUrl")
    )


@dataclass(frozen=True, slots=True)
class Billed:
    """A name on a bill. said: what came with it. role, act: as the text tells, "main" and "" where it does not."""

    name: str
    said: tuple[Finding, ...] = ()
    role: str = "main"
    act: str = ""

    @property
    def at_ra(self) -> AtRA:
        """What Resident Advisor calls it."""
        said = {finding.field: finding.value for finding in self.said}
        return AtRA(said.get("ra_artist_id"), said.get("ra_artist_url"))

    @property
    def key(self) -> str:
        """Equal keys in one import are one performer."""
        return self.at_ra.id or self.at_ra.url or name_key(self.name)


@dataclass(frozen=True, slots=True)
class Read:
    """An event taken apart. stages: the headings of its line-up."""

    event: Event
    bill: tuple[Billed, ...]
    stages: tuple[str, ...]

    @property
    def metadata(self) -> dict[str, Any]:
        """What has no column: the rest of the event as it was told, and what its line-up says of names and stages."""
        telling = [shown for shown in map(_shown, self.bill) if len(shown) > 1]
        told = {"stages": list(self.stages), "line_up": telling}
        return {**(self.event.model_extra or {}), **{name: value for name, value in told.items() if value}}


def _shown(billed: Billed) -> dict[str, str]:
    said = {"role": "" if billed.role == "main" else billed.role, "act": billed.act}
    return {"name": billed.name, **{name: value for name, value in said.items() if value}}


def read_event(fleet: Fleet, given: Any) -> Read:
    """An event as scrapers hand it over. Raises BadRequest."""
    if not isinstance(given, Mapping):
        raise BadRequest("event: is not an object")
    inner = given.get("event")
    told = _without_nul(inner if isinstance(inner, Mapping) else given)
    try:
        event = Event.model_validate(told)
    except ValidationError as error:
        raise BadRequest(complaints(error)) from error
    artists = list(_structured(fleet, told))
    text = next((found for name in _LINE_UP if isinstance(found := told.get(name), str) and found), "")
    line = read_lineup(text, dictionary([artist.name for artist in artists]))
    bill = tuple(_joined(artists, (Billed(each.name, (), each.role, each.act) for each in line.artists)))
    return Read(event, bill, tuple(stage.name for stage in line.stages))


def _structured(fleet: Fleet, event: Mapping[str, Any]) -> Iterator[Billed]:
    """RA's own list, each once. Where it has a shape we do not know the text has to do."""
    try:
        listed = residentadvisor.performers(event)
    except TypeError:
        return
    seen: set[str] = set()
    for artist in listed:
        said = tuple(brought.said_of(fleet, artist))
        billed = Billed(" ".join(str(artist.get("name") or "").split())[:LONGEST_NAME], said)
        if billed.name and billed.key not in seen:
            seen.add(billed.key)
            yield billed


def _joined(artists: list[Billed], named: Iterable[Billed]) -> Iterator[Billed]:
    """Both lists in one, in the order of the text; what RA's list alone has comes last. No name is there twice."""
    known = {key: at for at, artist in reversed(list(enumerate(artists))) for key in _spellings(artist.name)}
    left = dict(enumerate(artists))
    for each in named:
        at = next((known[key] for key in _spellings(each.name) if key in known), None)
        if at is None:
            if not _MOMENT.fullmatch(each.name):
                yield each
        elif at in left:
            artist = left.pop(at)
            yield Billed(artist.name, artist.said, each.role, each.act)
    yield from left.values()


def _spellings(name: str) -> Iterator[str]:
    """Keys under which a text may name one of RA's list: "TMS" is its "TMS (Dj)"."""
    yield name_key(name)
    yield " ".join(words(name))
    yield name_key(_BRACKET.sub("", name)) or name_key(name)


def _without_nul(value: Any) -> Any:
    """PostgreSQL takes no NUL."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return [_without_nul(each) for each in value] if isinstance(value, list) else value
