"""Signing in to the console: by an access token, or by its name and a password that was set for it.

A session opens what its token opens, and ends with it, after twelve hours, or when somebody signs out. It is a row, so
every process of the service knows it and feels its end at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from enrichment.reservoir import sessions as rows
from enrichment.reservoir.pool import at_once
from enrichment.reservoir.retrying import in_transaction
from enrichment.services import tokens
from enrichment.services.fleet import Fleet
from enrichment.services.requests import BadRequest
from enrichment.services.tokens import Caller

SESSION_SECONDS = 12 * 3600.0
SHORTEST, LONGEST = 12, 1000
"""Characters of a password."""
_SALT = 16


def new_secret() -> str:
    """For a cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def by_token(fleet: Fleet, secret: str) -> str | None:
    """The secret of a new session, None where this access token opens nothing."""
    with at_once(fleet.engine) as connection:
        number = rows.token_of(connection, tokens.digest(secret))
    return _begun(fleet, number) if number is not None else None


def by_password(fleet: Fleet, name: str, password: str) -> str | None:
    """The secret of a new session, None where nobody of this name has this password. It takes a while, as it must."""
    with at_once(fleet.engine) as connection:
        known = rows.passwords(connection, name)
    if not known:
        _hashed(password, bytes(_SALT))  # an unknown name takes as long as a known one
    for number, hashed in known:
        if hmac.compare_digest(_hashed(password, bytes(hashed[:_SALT])), bytes(hashed)):
            return _begun(fleet, number)
    return None


def _begun(fleet: Fleet, token: int) -> str:
    secret = new_secret()
    digest = tokens.digest(secret)
    in_transaction(fleet.engine, lambda connection: rows.begin(connection, digest, token, SESSION_SECONDS))
    return secret


def caller_of(fleet: Fleet, secret: str) -> Caller | None:
    """Who is signed in with this session, None where it is over."""
    with at_once(fleet.engine) as connection:
        row = rows.who(connection, tokens.digest(secret))
    return tokens.named(row.id, row.name, row.scopes, row.user_id) if row is not None else None


def sign_out(fleet: Fleet, secret: str) -> None:
    """The session opens nothing any more."""
    in_transaction(fleet.engine, lambda connection: rows.end(connection, tokens.digest(secret)))


def check_password(password: str) -> None:
    """Raises BadRequest for one that is too short."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadRequest(f"password: {SHORTEST} to {LONGEST} characters")


def set_password(fleet: Fleet, token: int, password: str) -> None:
    """From now on the token's name and this password open the console too. Raises BadRequest for a short one."""
    check_password(password)
    hashed = _hashed(password, secrets.token_bytes(_SALT))
    in_transaction(fleet.engine, lambda connection: rows.set_password(connection, token, hashed))


def _hashed(password: str, salt: bytes) -> bytes:
    """The salt, then scrypt at a cost that OWASP names for passwords; it takes 32 MiB."""
    given = password.encode("utf-8", "surrogatepass")
    return salt + hashlib.scrypt(given, salt=salt, n=2**15, r=8, p=3, maxmem=2**26)
