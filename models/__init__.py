"""The tables, one module per subject. Import from here: a table missing from this list is missing from migrations."""

from models.access import AccessToken, AuditEntry
from models.artwork import Picture
from models.base import Base
from models.batches import Batch, BatchItem, IdempotencyKey
from models.console import ConsolePassword, ConsoleSession, Minute
from models.counting import CountRow, LogLevel
from models.dead_letters import DeadLetter
from models.events import Event, EventPerformer
from models.findings import FindingRow
from models.fleet import QuotaHour, SourceState, WorkerRow
from models.keys import SourceKey
from models.listens import ArtworkPreference, Listen
from models.lookups import OPEN_STATES, LookupRow, LookupState, SettleRow
from models.merging import Duplicate, ReadMark, Redirect
from models.predicting import SourceModel
from models.requests import RequestRow
from models.reviews import Rejection, Review
from models.schedules import ScheduleRow, ScheduleRun
from models.status import EnrichmentStatus, Replan
from models.subjects import TABLES, Album, Performer, Track, column_of
from models.warehouse import ArtistEnrichment, ArtistEnrichmentRaw

__all__ = [
    "OPEN_STATES",
    "TABLES",
    "AccessToken",
    "Album",
    "ArtistEnrichment",
    "ArtistEnrichmentRaw",
    "ArtworkPreference",
    "AuditEntry",
    "Base",
    "Batch",
    "BatchItem",
    "ConsolePassword",
    "ConsoleSession",
    "CountRow",
    "DeadLetter",
    "Duplicate",
    "EnrichmentStatus",
    "Event",
    "EventPerformer",
    "FindingRow",
    "IdempotencyKey",
    "Listen",
    "LogLevel",
    "LookupRow",
    "LookupState",
    "Minute",
    "Performer",
    "Picture",
    "QuotaHour",
    "ReadMark",
    "Redirect",
    "Rejection",
    "Replan",
    "RequestRow",
    "Review",
    "ScheduleRow",
    "ScheduleRun",
    "SettleRow",
    "SourceKey",
    "SourceModel",
    "SourceState",
    "Track",
    "WorkerRow",
    "column_of",
]
