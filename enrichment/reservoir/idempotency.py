"""Idempotency keys: what each caller asked for with which key."""

from __future__ import annotations

from sqlalchemy import Connection, text

from enrichment.reservoir.requests import KEPT_SECONDS

_FORGET = text("""
DELETE FROM idempotency_keys WHERE (who, key) IN (
    SELECT who, key FROM idempotency_keys WHERE begun_at < clock_timestamp() - make_interval(secs => :seconds)
    ORDER BY begun_at LIMIT 100 FOR UPDATE SKIP LOCKED
)
""")

_CLAIM = text("""
INSERT INTO idempotency_keys AS k (who, key, digest) VALUES (:who, :key, :digest)
ON CONFLICT (who, key) DO UPDATE SET digest = k.digest RETURNING digest
""")


def claim(connection: Connection, who: str, key: str, digest: bytes) -> bool:
    """Is this the first use of the key, or the same request again? A key is kept as long as the ids of requests."""
    connection.execute(_FORGET, {"seconds": KEPT_SECONDS})
    values = {"who": who, "key": key, "digest": digest}
    return bytes(connection.execute(_CLAIM, values).scalar_one()) == digest
