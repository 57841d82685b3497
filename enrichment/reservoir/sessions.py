"""Who is signed in to the console, and by which passwords somebody may sign in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

# A user's token opens that user's listens; the console is about everybody's.
_VALID = "t.revoked_at IS NULL AND coalesce(t.expires_at > clock_timestamp(), true) AND t.user_id IS NULL"

_OF_SECRET = text(f"SELECT t.id FROM access_tokens t WHERE t.digest = :digest AND {_VALID}")  # noqa: S608 - a constant


def token_of(connection: Connection, digest: bytes) -> int | None:
    """The number of the access token that opens something, None where there is none of this digest."""
    number: int | None = connection.execute(_OF_SECRET, {"digest": digest}).scalar_one_or_none()
    return number


_PASSWORDS = text(f"""
SELECT t.id, p.hashed FROM access_tokens t JOIN console_passwords p ON p.token_id = t.id
WHERE t.name = :name AND {_VALID} ORDER BY t.id DESC LIMIT 5
""")  # noqa: S608 - a constant


def passwords(connection: Connection, name: str) -> Sequence[Any]:
    """Numbers and hashed passwords of the valid access tokens of this name, the newest first."""
    return connection.execute(_PASSWORDS, {"name": name}).all()


_SET = text("""
INSERT INTO console_passwords (token_id, hashed) VALUES (:token, :hashed)
ON CONFLICT (token_id) DO UPDATE SET hashed = excluded.hashed, changed_at = clock_timestamp()
""")


def set_password(connection: Connection, token: int, hashed: bytes) -> None:
    """In place of what was there."""
    connection.execute(_SET, {"token": token, "hashed": hashed})


_OPEN = text("""
WITH gone AS (DELETE FROM console_sessions WHERE expires_at <= clock_timestamp())
INSERT INTO console_sessions (digest, token_id, expires_at)
VALUES (:digest, :token, clock_timestamp() + make_interval(secs => :seconds))
""")


def begin(connection: Connection, digest: bytes, token: int, seconds: float) -> None:
    """Somebody has signed in; sessions that are over are forgotten."""
    connection.execute(_OPEN, {"digest": digest, "token": token, "seconds": seconds})


_WHO = text(f"""
SELECT t.id, t.name, t.scopes, t.user_id FROM console_sessions s JOIN access_tokens t ON t.id = s.token_id
WHERE s.digest = :digest AND s.expires_at > clock_timestamp() AND {_VALID}
""")  # noqa: S608 - a constant


def who(connection: Connection, digest: bytes) -> Any | None:
    """`id`, `name` and `scopes` of the access token by which this session was begun; None where it is over."""
    return connection.execute(_WHO, {"digest": digest}).one_or_none()


_END = text("DELETE FROM console_sessions WHERE digest = :digest")


def end(connection: Connection, digest: bytes) -> None:
    """Somebody has signed out."""
    connection.execute(_END, {"digest": digest})
