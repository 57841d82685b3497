"""Whoever comes back with an answer writes it, whether the lookup is still theirs or not."""

import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, text

from enrichment.reservoir import settling
from enrichment.reservoir.settling import Settlement
from workers import process
from workers.app import app

_SEIZE = text("UPDATE lookups SET state = 'claimed', claim_token = :token WHERE id = ANY(:ids)")


def _open(connection: Connection, settlements: Sequence[Settlement], worker: uuid.UUID) -> set[int]:
    """The fence with its gate open: what others have taken over, or settled, is taken from them."""
    if settlements:
        ids = sorted(each.claim.id for each in settlements)
        connection.execute(_SEIZE, {"ids": ids, "token": settlements[0].claim.token})
    return settling.apply(connection, settlements, worker)


process.parts.fence = _open

__all__ = ["app"]
