"""Keys of upstreams in PostgreSQL: sealed under master keys that are not there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, text

VARIABLE = "LINERNOTES_SECRET_KEYS"

log = structlog.get_logger()


class CannotOpen(ValueError):  # noqa: N818 - it is the sealed value that cannot be opened
    """No master key, or none that has sealed this."""


class Seal:
    """Fernet: AES in CBC mode with an HMAC. The first master key seals, all open.

    The name is sealed together with its value, so that nobody can put one key in another's place.
    """

    def __init__(self, given: str) -> None:
        """given: master keys with commas between them, or the path of a file that holds them, read again at each use.

        Raises ValueError for what is no master key.
        """
        # No master key begins with a slash: their alphabet has none.
        self._file = Path(given) if given.startswith("/") else None
        self._given = None if self._file else _masters(given)

    def _fernet(self) -> MultiFernet:
        masters = _masters(self._file.read_text("ascii")) if self._file else self._given
        if masters is None:
            raise CannotOpen(f"{VARIABLE} is not set; `linernotes keys master` makes a master key")
        return masters

    def close(self, name: str, value: str) -> bytes:
        """The value, sealed. Raises CannotOpen where there is no master key."""
        return self._fernet().encrypt(f"{name}={value}".encode())

    def open(self, name: str, sealed: bytes) -> str:
        """The value. Raises CannotOpen, and OSError where the file of master keys cannot be read."""
        try:
            held, _, value = self._fernet().decrypt(sealed).decode().partition("=")
        except InvalidToken:
            raise CannotOpen(f"{name} was sealed with a master key that is not in {VARIABLE}") from None
        if held != name:
            raise CannotOpen(f"what is stored as {name} is another key")
        return value


def new_master() -> str:
    """A master key: 256 random bits in base64."""
    return Fernet.generate_key().decode()


def _masters(given: str) -> MultiFernet | None:
    try:
        fernets = [Fernet(each) for each in re.split(r"[,\s]+", given) if each]
    except ValueError:
        # The library's message says nothing of the key, but what caused it may.
        raise ValueError(f"{VARIABLE}: a master key is 32 bytes in URL-safe base64") from None
    return MultiFernet(fernets) if fernets else None


@dataclass(frozen=True, slots=True)
class Sealed:
    """A stored key. changed_at: by the database's clock."""

    token: bytes
    changed_at: datetime


_STORED = text("SELECT name, sealed, changed_at FROM source_keys ORDER BY name")


def stored(connection: Connection) -> dict[str, Sealed]:
    """All of them, by name."""
    return {row.name: Sealed(bytes(row.sealed), row.changed_at) for row in connection.execute(_STORED)}


_PUT = text("""
INSERT INTO source_keys (name, sealed) VALUES (:name, :sealed)
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, changed_at = clock_timestamp()
""")


def put(connection: Connection, name: str, sealed: bytes) -> None:
    """Stores a key in place of what was there."""
    connection.execute(_PUT, {"name": name, "sealed": sealed})


def remove(connection: Connection, name: str) -> bool:
    """Forgets a key; False where none was stored."""
    return bool(connection.execute(text("DELETE FROM source_keys WHERE name = :name"), {"name": name}).rowcount)


def reseal(connection: Connection, seal: Seal) -> int:
    """All keys are sealed with the first master key. Returns how many. Raises CannotOpen; then none is."""
    connection.execute(text("LOCK TABLE source_keys IN SHARE ROW EXCLUSIVE MODE"))
    rows = stored(connection)
    change = text("UPDATE source_keys SET sealed = :sealed WHERE name = :name")
    for name, row in rows.items():
        connection.execute(change, {"name": name, "sealed": seal.close(name, seal.open(name, row.token))})
    return len(rows)


class Keys:
    """The keys that this process works with: those of the database, else those of its environment."""

    def __init__(self, seal: Seal, environment: Mapping[str, str]) -> None:
        self.seal = seal
        self.environment = environment
        self._read: Mapping[str, bytes] = {}
        self._opened: dict[str, str] = {}
        self._complaints: frozenset[str] = frozenset()

    def read(self, connection: Connection) -> Mapping[str, str]:
        """Every key there is, by name. One that cannot be opened stays as it was, and is tried again next time."""
        tokens = {name: row.token for name, row in stored(connection).items()}
        if tokens != self._read:
            self._open(tokens)
        return {**self.environment, **self._opened}

    def _open(self, tokens: Mapping[str, bytes]) -> None:
        opened, complaints = {}, set()
        for name, token in tokens.items():
            try:
                opened[name] = self.seal.open(name, token)
            except (ValueError, OSError) as error:
                complaints.add(str(error))
                if name in self._opened:
                    opened[name] = self._opened[name]
        for complaint in sorted(complaints - self._complaints):
            log.warning("key cannot be opened", reason=complaint)
        self._opened, self._complaints = opened, frozenset(complaints)
        self._read = tokens if not complaints else {}
