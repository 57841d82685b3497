"""A picture as pages need it: in three sizes, with its dominant colour and a blur hash to stand in for it meanwhile.

BlurHash (https://blurha.sh): the first coefficients of a cosine transform, in base 83. The encoder is our own: a page.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import cos, pi
from typing import Any

from PIL import Image

SIZES = {"small": 64, "medium": 300, "large": 640}
"""The longer side in pixels; a picture is never enlarged."""
LARGEST_DECODED = 20_000_000
"""Pixels. A JPEG is decoded at an eighth of its size if need be, the others whole: 80 MB for one this large."""
QUALITY = 85
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises for a picture that ends early or contradicts itself."""

_COMPONENTS = (4, 3)
_SIDE = 32
"""Of what the blur hash is made of: it holds nothing finer."""
_COLOURS = 8
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Rendered:
    """jpegs: by the name of the size. sizes: of each the `width` and `height`. colour: "#rrggbb"."""

    jpegs: dict[str, bytes]
    sizes: dict[str, dict[str, int]]
    colour: str
    blurhash: str


def render(body: bytes) -> Rendered | None:
    """The picture in its sizes; None where it is too large to be decoded. Raises one of BROKEN."""
    with Image.open(io.BytesIO(body), formats=("JPEG", "PNG", "GIF", "WEBP")) as picture:
        picture.draft("RGB", (2 * SIZES["large"], 2 * SIZES["large"]))
        if picture.width * picture.height > LARGEST_DECODED:
            return None
        large = _on_white(picture)
    jpegs, sizes = {}, {}
    for name in sorted(SIZES, key=SIZES.__getitem__, reverse=True):
        large.thumbnail((SIZES[name], SIZES[name]))
        file = io.BytesIO()
        large.save(file, "JPEG", quality=QUALITY, optimize=True)
        jpegs[name], sizes[name] = file.getvalue(), {"width": large.width, "height": large.height}
    return Rendered(jpegs, sizes, dominant_colour(large), blurhash(large))


def _on_white(picture: Image.Image) -> Image.Image:
    """In plain colours; what is transparent shows white, as on a page."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    coloured = picture.convert("RGBA")
    ground = Image.new("RGBA", coloured.size, "white")
    return Image.alpha_composite(ground, coloured).convert("RGB")


def dominant_colour(picture: Image.Image) -> str:
    """Of eight colours that stand for all of them, the one that covers most."""
    few = picture.quantize(_COLOURS)
    palette: Any = few.getpalette()
    counted: Any = few.getcolors()
    _, most = max(counted)
    return "#" + bytes(palette[3 * most : 3 * most + 3]).hex()


def blurhash(picture: Image.Image) -> str:
    """Of 4 × 3 components: 28 characters."""
    little = picture.convert("RGB").resize((_SIDE, _SIDE))
    raw = little.tobytes()
    pixels = [tuple(_linear(raw[at + channel]) for channel in range(3)) for at in range(0, len(raw), 3)]
    factors = [_factor(pixels, x, y) for y, x in product(range(_COMPONENTS[1]), range(_COMPONENTS[0]))]
    mean, *rest = factors
    largest = max(abs(value) for factor in rest for value in factor)
    scale = max(0, min(82, int(largest * 166 - 0.5)))
    within = (scale + 1) / 166
    head = _base83((_COMPONENTS[0] - 1) + (_COMPONENTS[1] - 1) * 9, 1) + _base83(scale, 1)
    return head + _base83(_packed(mean, _standard, 256), 4) + "".join(_detail(factor, within) for factor in rest)


def _factor(pixels: Sequence[tuple[float, ...]], x: int, y: int) -> Rgb:
    waves = _wave(x, y)
    norm = (1 if x == y == 0 else 2) / len(pixels)
    red, green, blue = (norm * sum(wave * p[c] for wave, p in zip(waves, pixels, strict=True)) for c in range(3))
    return red, green, blue


@lru_cache
def _wave(x: int, y: int) -> tuple[float, ...]:
    # At the middle of each pixel, so that a plain picture has no component but its colour.
    rows = [cos(pi * y * (row + 0.5) / _SIDE) for row in range(_SIDE)]
    columns = [cos(pi * x * (column + 0.5) / _SIDE) for column in range(_SIDE)]
    return tuple(row * column for row, column in product(rows, columns))


def _detail(factor: Rgb, within: float) -> str:
    return _base83(_packed(factor, lambda value: _step(value / within), 19), 2)


def _packed(factor: Rgb, digit: Callable[[float], int], base: int) -> int:
    number = 0
    for value in factor:
        number = number * base + digit(value)
    return number


def _step(share: float) -> int:
    """-1 to 1 in 19 steps, finer around 0."""
    root = abs(share) ** 0.5
    return max(0, min(18, int((root if share >= 0 else -root) * 9 + 9.5)))


@lru_cache
def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def _standard(light: float) -> int:
    share = max(0.0, min(1.0, light))
    return int((share * 12.92 if share <= 0.0031308 else 1.055 * share ** (1 / 2.4) - 0.055) * 255 + 0.5)


def _base83(number: int, digits: int) -> str:
    return "".join(_DIGITS[number // 83**place % 83] for place in reversed(range(digits)))
