"""The tables, one module per subject. Import from here: a table missing from this list is missing from migrations."""

from models.access import AccessToken, AuditEntry
from models.base import Base
from models.batches import Batch, BatchItem, IdempotencyKey
from models.dead_letters import DeadLetter
from models.events import Event, EventPerformer
from models.findings import FindingRow
from models.fleet import QuotaHour, SourceState, WorkerRow
from models.keys import SourceKey
from models.lookups import OPEN_STATES, LookupRow, LookupState, SettleRow
from models.requests import RequestRow
from models.status import EnrichmentStatus, Replan
from models.subjects import TABLES, Album, Performer, Track, column_of

__all__ = [
    "OPEN_STATES",
    "TABLES",
    "AccessToken",
    "Album",
    "AuditEntry",
    "Base",
    "Batch",
    "BatchItem",
    "DeadLetter",
    "EnrichmentStatus",
    "Event",
    "EventPerformer",
    "FindingRow",
    "IdempotencyKey",
    "LookupRow",
    "LookupState",
    "Performer",
    "QuotaHour",
    "Replan",
    "RequestRow",
    "SettleRow",
    "SourceKey",
    "SourceState",
    "Track",
    "WorkerRow",
    "column_of",
]
