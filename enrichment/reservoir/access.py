"""Access tokens, known by their digests alone, and the audit of what was done by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from enrichment.reservoir.documents import document

_MAKE = text("""
INSERT INTO access_tokens (name, user_id, digest, ending, scopes, expires_at)
VALUES (:name, :user, :digest, :ending, :scopes, clock_timestamp() + make_interval(days => :days)) RETURNING id
""")


def make(
    connection: Connection,
    name: str,
    digest: bytes,
    *,
    ending: str,
    scopes: Collection[str],
    days: int | None,
    user: str | None = None,
) -> int:
    """Keeps a token. days: until it expires, None for never. user: whose listens it opens. Returns its number."""
    values = {"name": name, "user": user, "digest": digest, "ending": ending, "scopes": sorted(scopes), "days": days}
    number: int = connection.execute(_MAKE, values).scalar_one()
    return number


_LIST = text("""
SELECT id, name, user_id, digest, ending, scopes, created_at, expires_at, revoked_at,
    revoked_at IS NULL AND coalesce(expires_at > clock_timestamp(), true) AS valid
FROM access_tokens ORDER BY id
""")


def tokens(connection: Connection) -> Sequence[Any]:
    """Every token there ever was."""
    return connection.execute(_LIST).all()


_REVOKE = text("""
UPDATE access_tokens SET revoked_at = clock_timestamp()
WHERE (name = :given OR id::text = :given) AND revoked_at IS NULL RETURNING id
""")


def revoke(connection: Connection, given: str) -> list[int]:
    """The tokens of this name or number open nothing any more. Returns those that did."""
    return list(connection.execute(_REVOKE, {"given": given}).scalars())


_BEGIN = text("""
INSERT INTO audit (who, action, target, details) VALUES (:who, :action, :target, CAST(:details AS jsonb)) RETURNING id
""")


def begin(connection: Connection, who: str, action: str, target: str, details: Mapping[str, Any]) -> int:
    """An action is about to be done. Returns the entry's number."""
    values = {"who": who, "action": action, "target": target, "details": document(dict(details), str)}
    number: int = connection.execute(_BEGIN, values).scalar_one()
    return number


_END = text("UPDATE audit SET outcome = :outcome WHERE id = :id")


def end(connection: Connection, number: int, outcome: str) -> None:
    """What came of it."""
    connection.execute(_END, {"id": number, "outcome": outcome[:500]})


_ENTRIES = text("""
SELECT id, at, who, action, target, details, outcome FROM audit
WHERE (CAST(:target AS text) IS NULL OR target = :target)
    AND (CAST(:who AS text) IS NULL OR position(lower(:who) IN lower(who)) > 0)
    AND (CAST(:below AS bigint) IS NULL OR id < :below)
ORDER BY id DESC LIMIT :most
""")


def entries(
    connection: Connection, target: str | None, who: str | None, most: int, below: int | None
) -> list[dict[str, Any]]:
    """The newest entries, of this target and doer or of all, before this id."""
    values = {"target": target, "who": who, "most": most, "below": below}
    return [dict(row) for row in connection.execute(_ENTRIES, values).mappings()]
