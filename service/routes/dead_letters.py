"""Dead letters by HTTP, as the command line has them: found, shown, edited, asked again, dropped, purged."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from enrichment.domain.outcomes import Outcome
from enrichment.domain.subjects import Lane
from enrichment.reservoir.dead_letters import Filter
from enrichment.services import dead_letters
from enrichment.services.audit import audited
from enrichment.services.fleet import Fleet
from service.access import Operator, Reader
from service.context import of
from service.errors import NOT_FOUND
from service.shapes import LARGEST_ID, NUMBER, WHOLE, Text

PATIENCE_SECONDS = 50.0
"""How long one request may hand messages in again at a rate."""

router = APIRouter(prefix="/dead-letters", tags=["dead letters"], responses=NOT_FOUND)
Number = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Age = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, description="Seconds."), NUMBER]
State = Literal["open", "replayed", "dropped"]
What = Literal["lookup", "message"]
CameTo = Literal[Outcome.TRY_LATER, Outcome.REFUSED, Outcome.UNREADABLE, "worker_died"]


class Kept(BaseModel):
    """What letters have in common."""

    model_config = ConfigDict(extra="forbid")

    source: Text | None = None
    error: Annotated[Text, Field(description="Part of the error's text.")] | None = None
    outcome: CameTo | None = None
    what: Annotated[What, Field(description="Of lookups, or of messages that could not be taken.")] | None = None
    subject: Annotated[Text, Field(description="About this subject: your id, or ours.")] | None = None
    older_than: Age | None = None
    newer_than: Age | None = None

    def filter(self, fleet: Fleet) -> Filter:
        """For the services. Raises Unknown for a subject that nobody knows."""
        which = Filter(
            what=self.what,
            source=self.source,
            outcome=self.outcome,
            error=self.error,
            older=self.older_than,
            newer=self.newer_than,
        )
        return which if self.subject is None else dead_letters.about(fleet, which, self.subject)


class Found(Kept):
    """Which letters to list."""

    state: State = "open"
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    below: Annotated[int, Field(ge=1, le=LARGEST_ID, description="For the next page: the last one's id.")] | None = None


def _told(name: str) -> dict[str, Any]:
    """In JSON schema: this one is given."""
    return {"required": [name], "properties": {name: {"const": True} if name == "all" else {"not": {"type": "null"}}}}


class Letters(Kept):
    """Open letters: their numbers, what they have in common, or all."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_told(name) for name in ("ids", *Kept.model_fields, "all")]})

    ids: (
        Annotated[
            list[Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID), WHOLE]], Field(min_length=1, max_length=1000)
        ]
        | None
    ) = None
    all: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _narrowed(self) -> Letters:
        if not self.all and not self.model_dump(include={"ids", *Kept.model_fields}, exclude_none=True):
            raise ValueError("which letters? Give their ids, what they have in common, or all")
        return self

    def filter(self, fleet: Fleet) -> Filter:
        """With the numbers."""
        return replace(super().filter(fleet), ids=tuple(self.ids) if self.ids is not None else None)

    def said(self) -> dict[str, Any]:
        """For the audit."""
        return self.model_dump(mode="json", exclude_defaults=True)


class Replayed(Letters):
    """rate: at most so many a second. lane: instead of their own."""

    rate: Annotated[float, Field(ge=0.001, le=10_000, allow_inf_nan=False), NUMBER] | None = None
    lane: Lane | None = None


class Dropped(Letters):
    """reason: kept with the letters."""

    reason: Text = "dropped by hand"


class Purged(BaseModel):
    """Letters written more than so many seconds ago; open ones only where they are named."""

    older_than: Age
    states: Annotated[list[State], Field(min_length=1, max_length=3)] = ["replayed", "dropped"]


class Edited(BaseModel):
    """change: of a lookup its keys, of a message its keywords. whole: change is all there is (of a message: `task`,
    `args`, `kwargs`). task: that the message should have named.
    """

    change: dict[str, Any] = {}
    whole: Annotated[bool, Field(strict=True)] = False
    task: Text | None = None


@router.get("")
def letters(request: Request, _: Reader, which: Annotated[Found, Query()]) -> list[dict[str, Any]]:
    """The newest dead letters."""
    fleet = of(request).fleet
    found = replace(which.filter(fleet), state=which.state)
    return dead_letters.letters(fleet, found, most=which.limit, below=which.below)


@router.get("/{id:int}")
def letter(id: Number, request: Request, _: Reader) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """One dead letter, whole."""
    found = dead_letters.letter(of(request).fleet, id)
    if found is None:
        raise HTTPException(404, f"there is no dead letter {id}")
    return found


@router.post("/{id:int}/edit")
def edit(id: Number, body: Edited, request: Request, caller: Operator) -> dict[str, Any]:  # noqa: A002 - the name in the path
    """Put something else in place of what was asked, for the replay. What was asked first stays in the letter."""
    fleet = of(request).fleet
    with audited(fleet, caller.who, "edit", f"dead letter {id}"):
        edited = dead_letters.edit(fleet, id, body.change, whole=body.whole, task=body.task)
    return {"id": id, "edited": edited}


@router.post("/replay")
def replay(body: Replayed, request: Request, caller: Operator) -> dict[str, Any]:
    """Ask again what open letters asked, as edited last; twice is once.

    `refused`: messages that still cannot be taken stay open, and why. `more`: at this rate there was no time to hand
    all messages in; ask once more.
    """
    fleet = of(request).fleet
    with audited(fleet, caller.who, "replay", "dead letters", **body.said()):
        which = body.filter(fleet)
        come = dead_letters.replay(fleet, which, lane=body.lane, per_second=body.rate, patience=PATIENCE_SECONDS)
    refused = [{"id": number, "error": error} for number, error in come.refused.items()]
    return {"replayed": come.done, "refused": refused, "more": come.more}


@router.post("/drop")
def drop(body: Dropped, request: Request, caller: Operator) -> dict[str, int]:
    """Close open letters without asking again."""
    fleet = of(request).fleet
    with audited(fleet, caller.who, "drop", "dead letters", **body.said()):
        return {"dropped": dead_letters.drop(fleet, body.filter(fleet), body.reason)}


@router.post("/purge")
def purge(body: Purged, request: Request, caller: Operator) -> dict[str, int]:
    """Delete old letters for good."""
    fleet = of(request).fleet
    with audited(fleet, caller.who, "purge", "dead letters", **body.model_dump()):
        return {"purged": dead_letters.purge(fleet, body.older_than, body.states)}
