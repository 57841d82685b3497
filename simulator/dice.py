"""Chance that falls the same way in every run: each throw is a hash of what it is about."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _digest(size: int, parts: tuple[object, ...]) -> bytes:
    text = "\x1f".join(map(str, parts))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


def number(*parts: object) -> int:
    """An integer from 0 to 2**64 - 1."""
    return int.from_bytes(_digest(8, parts), "big")


def share(*parts: object) -> float:
    """A number from 0 up to, not including, 1."""
    return (number(*parts) >> 11) / (1 << 53)


def choose(options: Sequence[T], *parts: object) -> T:
    """One of the options."""
    return options[number(*parts) % len(options)]


def hexadecimal(length: int, *parts: object) -> str:
    """A lower-case hexadecimal string."""
    return _digest((length + 1) // 2, parts).hex()[:length]


def mbid(*parts: object) -> str:
    """A UUID as MusicBrainz gives them."""
    return str(uuids.UUID(bytes=_digest(16, parts), version=4))


def spotify_id(*parts: object) -> str:
    """22 characters of base 62, beginning like the real ones with a digit."""
    rest = int.from_bytes(_digest(17, parts), "big")
    letters = []
    for _ in range(21):
        rest, letter = divmod(rest, 62)
        letters.append(BASE62[letter])
    return str(rest % 8) + "".join(letters)


def isrc(country: str, year: int, *parts: object) -> str:
    """An ISRC: country, registrant, two digits of the year, five of the designation."""
    value = number(*parts)
    registrant = "".join(BASE62[10 + (value >> shift) % 26] for shift in (0, 8, 16))
    return f"{country}{registrant}{year % 100:02d}{(value >> 24) % 100000:05d}"


def barcode(*parts: object) -> str:
    """An EAN-13 with its check digit; every third begins with 0 and is printed as a UPC of twelve."""
    value = number(*parts)
    body = f"{value % 10**12:012d}"
    if value % 3 == 0:
        body = "0" + body[1:]
    odd, even = sum(map(int, body[::2])), sum(map(int, body[1::2]))
    code = body + str(-(odd + 3 * even) % 10)
    return code[1:] if code.startswith("0") else code
