"""What has changed, in an order that a reader can follow without missing anything."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from models import TABLES

# A transaction gives its rows a moment and commits later, so a row may appear behind those that a reader has seen. No
# moment is before the start of its transaction: what is older than the oldest one under way is complete. Sessions
# without a transaction id have written nothing; one that has only read for so long is a report or a backup.
_COMPLETE = text("""
SELECT least(clock_timestamp() - interval '50 milliseconds', min(xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND (backend_xid IS NOT NULL OR xact_start > clock_timestamp() - interval '5 minutes')
""")

_FROM = """
(SELECT {columns} FROM {table}
 WHERE ({at}, {id}) > (:moment, :id) AND {at} < :complete ORDER BY {at}, {id} LIMIT :most)
"""
_OF_A_KIND = [
    _FROM.format(
        columns=f"'{kind}' AS kind, id, updated_at, NULL::uuid AS merged_into",
        table=table.__tablename__,
        at="updated_at",
        id="id",
    )
    for kind, table in TABLES.items()
]
_MERGED = _FROM.format(columns="kind, old_id, merged_at, subject_id", table="redirects", at="merged_at", id="old_id")
_CHANGED = text("UNION ALL".join([*_OF_A_KIND, _MERGED]) + "ORDER BY updated_at, id LIMIT :most")


def complete_until(connection: Connection) -> datetime:
    """No row will appear before this moment any more. To be asked in a statement before `changed`."""
    moment: datetime = connection.execute(_COMPLETE).scalar_one()
    return moment


def changed(connection: Connection, moment: datetime, after: uuid.UUID, complete: datetime, most: int) -> Sequence[Any]:
    """`kind`, `id`, `updated_at` of subjects that changed after this one of this moment, the oldest first; those that
    are another one since are there once more, with `merged_into`.
    """
    values = {"moment": moment, "id": after, "complete": complete, "most": most}
    return connection.execute(_CHANGED, values).all()
