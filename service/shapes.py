"""What goes in and what comes out, for OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Header, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from enrichment.services.batches import LARGEST
from enrichment.services.requests import Id, TrackRequest

SOMETHING = r"^[^\x00]*[^\x00\s][^\x00]*$"
Text = Annotated[Id, Field(json_schema_extra={"pattern": SOMETHING})]
SubjectId = Annotated[Text, Path(description="The producer's own id, or ours.")]
Wait = Annotated[float, Query(ge=0, le=120, allow_inf_nan=False, description="Seconds to wait for the result.")]
Priority = Annotated[int, Query(ge=1, le=10, description="10 is critical, 4-9 default, 1-3 low_priority.")]
Force = Annotated[bool, Query(description="Ask again, however fresh what is known may be.")]
IdempotencyKey = Annotated[
    Text | None, Header(alias="Idempotency-Key", description="The same key with the same body is one request.")
]


def _whole(value: Any) -> Any:
    """6.0 is an integer in JSON; "6" and true are none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)


def _number(value: Any) -> Any:
    """A truth value is none."""
    if isinstance(value, bool):
        raise ValueError("is not a number")  # noqa: TRY004 - pydantic's way of saying no
    return value


NUMBER = BeforeValidator(_number)
LARGEST_ID = 2**53
"""Beyond it JSON of some languages is no longer exact."""


def _numbers_too(schema: dict[str, Any]) -> None:
    """Ids and names may be sent as numbers; they are text from then on."""
    for name, field in schema["properties"].items():
        types = field.get("anyOf", [])
        if any(each.get("type") == "string" and "pattern" not in each for each in types):
            texts = [{**each, "pattern": SOMETHING} if each["type"] == "string" else each for each in types]
            schema["properties"][name] = {**field, "anyOf": [*texts, {"type": "number"}]}


class Track(TrackRequest):
    """A track by the producer's own id, by names, or both."""

    model_config = ConfigDict(json_schema_extra=_numbers_too)

    priority: Annotated[int, Field(strict=True, ge=1, le=10), WHOLE] | None = Field(
        default=None, description="10 if the request waits, else 5"
    )  # type: ignore[assignment]  # the request's own has a default
    force_refresh: bool = Field(default=False, strict=True)
    duration_ms: Annotated[int, Field(strict=True, gt=0, lt=86_400_000), WHOLE] | None = None

    def request(self, usual_priority: int) -> TrackRequest:
        """As the services take it."""
        given = self.model_dump(exclude_unset=True)
        return TrackRequest(**{**given, "priority": given.get("priority") or usual_priority})


Items = Annotated[
    list[Any],
    Field(description=f"Up to {LARGEST:,} tracks as in POST /enrich. Bad ones are told each, the others go on."),
]
MOMENT = r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z"
_ID = r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}"
Since = Annotated[
    str,
    Query(max_length=100, description="A moment in ISO 8601, or `next` of the answer before."),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": f"^{MOMENT},{_ID}$"}]}
    ),
]


class _Open(BaseModel):
    """Further keys may follow in later versions."""

    model_config = ConfigDict(extra="allow")


Status = Literal["pending", "in_progress", "completed", "partial", "failed"]


class Enrichment(_Open):
    """What has come of a request. status_url: where to ask while it is pending."""

    track_id: str | None = None
    performer_id: str | None = None
    album_id: str | None = None
    status: Status
    sources_used: list[str]
    metadata_acquired: dict[str, Any]
    errors: list[str]
    duration_seconds: float | None = None
    cached: bool
    timestamp: str
    status_url: str | None = None


class BatchItem(_Open):
    """One item of a batch; index counts from 0."""

    index: int
    accepted: bool
    track_id: str | None = None
    errors: list[str] = []


class BatchTaken(_Open):
    """items: each one's acceptance. results: in their order, where the request waited."""

    batch_id: str
    total: int
    accepted: int
    rejected: int
    items: list[BatchItem]
    status_url: str
    results: list[dict[str, Any]] | None = None


class BatchProgress(_Open):
    """How many items are accepted, rejected, and how the accepted ones stand."""

    batch_id: str
    status: Literal["open", "ended", "cancelled"]
    created_at: str
    total: int
    accepted: int
    rejected: int
    pending: int
    in_progress: int
    completed: int
    partial: int
    failed: int
    results: list[dict[str, Any]] | None = None


class Waiting(_Open):
    """A question that is not answered yet."""

    source: str
    question: str
    state: str
    position: int
    estimated_completion: str | None


class Standing(_Open):
    """How far a subject has come. position: 1 goes next, 0 is being asked now."""

    id: str
    status: Status | None
    has_artwork: bool
    is_retriable: bool | None
    error_message: str | None
    sources_used: list[str]
    completeness_score: float
    requested_at: str | None
    finished_at: str | None
    position: int | None
    estimated_completion: str | None
    open: list[Waiting]


class Report(_Open):
    """What is known of a subject, who said so and on which terms, who was asked.

    merged: by field, `source`, `confidence`, `reason` and `locked` of its value. left_out: questions not worth a call.
    reviews: open doubts that a person has to decide.
    """

    id: str
    status: Status | None
    fields: dict[str, Any]
    merged: dict[str, dict[str, Any]]
    findings: list[dict[str, Any]]
    terms: dict[str, Any]
    lookups: list[dict[str, Any]]
    left_out: list[dict[str, Any]]
    reviews: list[dict[str, Any]]


class Change(_Open):
    """A subject as it is now."""

    kind: Literal["performer", "track", "album"]
    id: str
    changed_at: str
    fields: dict[str, Any]


class Changes(BaseModel):
    """next: the `since` of the next question. more: is there more already?"""

    changes: list[Change]
    next: str
    more: bool
