"""Pictures in their sizes, their colour, and the blur hash that stands in for them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from enrichment.sources.pictures import _DIGITS, blurhash, dominant_colour, render


def encoded(picture: Image.Image, form: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **more)
    return file.getvalue()


def number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 83 + _DIGITS.index(digit)
    return value


def test_three_sizes_in_the_same_shape() -> None:
    made = render(encoded(Image.new("RGB", (1200, 600), "red"), "JPEG"))
    assert made is not None
    assert made.sizes == {
        "large": {"width": 640, "height": 320},
        "medium": {"width": 300, "height": 150},
        "small": {"width": 64, "height": 32},
    }
    for name, jpeg in made.jpegs.items():
        with Image.open(io.BytesIO(jpeg)) as picture:
            assert (picture.format, *picture.size) == ("JPEG", *made.sizes[name].values())


def test_none_is_enlarged() -> None:
    made = render(encoded(Image.new("RGB", (120, 100), "red")))
    assert made is not None
    assert made.sizes["large"] == {"width": 120, "height": 100}


@pytest.mark.parametrize(
    "picture",
    [Image.new("RGBA", (100, 100), (0, 0, 0, 0)), Image.new("LA", (100, 100), (0, 0)), Image.new("L", (100, 100), 255)],
)
def test_what_is_transparent_shows_white(picture: Image.Image) -> None:
    made = render(encoded(picture))
    assert made is not None
    assert made.colour == "#ffffff"


def test_one_too_large_to_be_decoded() -> None:
    assert render(encoded(Image.new("1", (5000, 5000)))) is None


def test_a_large_jpeg_is_decoded_small() -> None:
    made = render(encoded(Image.new("L", (5000, 5000), 7), "JPEG"))
    assert made is not None
    assert made.sizes["large"]["width"] == 640


def test_the_colour_that_covers_most() -> None:
    picture = Image.new("RGB", (64, 64), "#104080")
    picture.paste("#ff0000", (0, 0, 64, 20))
    assert dominant_colour(picture) == "#104080"


class TestBlurHash:
    def test_of_one_colour(self) -> None:
        found = blurhash(Image.new("RGB", (64, 64), "#104080"))
        assert len(found) == 1 + 1 + 4 + 2 * 11
        assert found[0] == _DIGITS[(4 - 1) + (3 - 1) * 9]
        assert number(found[2:6]) == 0x104080
        # 9 of 19 steps is nothing: no component but the first.
        assert {number(found[at : at + 2]) for at in range(6, 28, 2)} == {9 * 19 * 19 + 9 * 19 + 9}

    def test_of_light_on_the_left(self) -> None:
        picture = Image.new("RGB", (32, 32), "black")
        picture.paste("white", (0, 0, 16, 32))
        found = blurhash(picture)
        to_the_right, twice = number(found[6:8]), number(found[8:10])
        assert to_the_right == 18 * 19 * 19 + 18 * 19 + 18
        assert twice == 9 * 19 * 19 + 9 * 19 + 9
