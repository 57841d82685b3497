"""Access tokens: made, listed and revoked by the operator, checked by the service. Shown once, never kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from enrichment.reservoir import access
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.services.fleet import Fleet

PREFIX = "ln_"
"""By which scanners for leaked secrets can tell one."""
_KNOWN = "access tokens"
KNOWN_SECONDS = 2.0
"""A revoked token opens nothing after so long."""


class Scope(StrEnum):
    """What a token may do."""

    SUBMIT = "submit"
    """Hand work in, and see what comes of it."""
    READ = "read"
    OPERATE = "operate"
    """Pauses, breakers, dead letters, cancelling."""
    ADMIN = "admin"
    """Everything, the audit too."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. who: as the audit and batches name it. user: whose listens alone it may see; None for everybody's."""

    who: str
    scopes: frozenset[str]
    user: str | None = None

    def may(self, scope: Scope) -> bool:
        """Has it been given this?"""
        return bool(self.scopes & {scope, Scope.ADMIN})


@dataclass(frozen=True, slots=True)
class Made:
    """A new token. secret: to be handed over now, as it cannot be shown again."""

    number: int
    secret: str


def make(fleet: Fleet, name: str, scopes: Collection[Scope], days: int | None = None, user: str | None = None) -> Made:
    """A token that opens these scopes, for so many days or for good. user: whose listens it opens, and no others'."""
    secret = PREFIX + secrets.token_urlsafe(32)
    hashed, ending = digest(secret), secret[-4:]

    def work(connection: Connection) -> int:
        return access.make(connection, name, hashed, ending=ending, scopes=scopes, days=days, user=user)

    number = in_transaction(fleet.engine, work)
    fleet.forget()
    return Made(number, secret)


def listed(fleet: Fleet) -> list[dict[str, Any]]:
    """Every token, without what could open anything: `id`, `name`, `ending`, `scopes`, moments, `valid`."""
    with at_once(fleet.engine) as connection:
        rows = access.tokens(connection)
    return [{name: value for name, value in row._asdict().items() if name != "digest"} for row in rows]


def revoke(fleet: Fleet, given: str) -> list[int]:
    """The tokens of this name or number open nothing any more, anywhere, within two seconds. Returns their numbers."""
    revoked = in_transaction(fleet.engine, lambda connection: access.revoke(connection, given))
    fleet.forget()
    return revoked


@dataclass(frozen=True, slots=True)
class _Token:
    caller: Caller
    expires_at: datetime | None


def opens(fleet: Fleet, secret: str) -> bool:
    """Does this token open anything?"""
    return caller_of(fleet, secret, datetime.now(UTC)) is not None


def are_known(fleet: Fleet) -> bool:
    """Can `caller_of` answer without asking the database?"""
    return fleet.kept(_KNOWN, KNOWN_SECONDS) is not None


def know(fleet: Fleet) -> Mapping[bytes, _Token]:
    """All tokens that open anything, as they were a moment ago."""
    known: Mapping[bytes, _Token] = fleet.remembered(_KNOWN, lambda: _read(fleet), KNOWN_SECONDS)
    return known


def caller_of(fleet: Fleet, secret: str, now: datetime) -> Caller | None:
    """Who holds this token, None where it opens nothing. now: with its time zone."""
    token = know(fleet).get(digest(secret))
    if token is None or (token.expires_at is not None and token.expires_at <= now):
        return None
    return token.caller


def _read(fleet: Fleet) -> dict[bytes, _Token]:
    with at_once(fleet.engine) as connection:
        return {
            bytes(row.digest): _Token(named(row.id, row.name, row.scopes, row.user_id), row.expires_at)
            for row in access.tokens(connection)
            if row.valid
        }


def named(number: int, name: str, scopes: Collection[str], user: str | None = None) -> Caller:
    """The holder of a token, as the audit names it."""
    return Caller(f"token {number} ({name})", frozenset(scopes), user)


def digest(secret: str) -> bytes:
    """By which a secret is known."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
