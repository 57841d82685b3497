"""Real pictures of a stated size, drawn from a name: the same name gives the same picture."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageDraw

from simulator import dice

SCENES = 48
"""Different drawings. A picture carries its name as a comment besides, so that no two names give the same bytes."""


@lru_cache(maxsize=SCENES * 12)
def _drawn(scene: int, width: int, height: int, form: str) -> bytes:
    ground, figure = (tuple(dice.number(layer, scene).to_bytes(8, "big")[:3]) for layer in ("ground", "figure"))
    image = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(image)
    for ring in range(4):
        inset = (ring + 1) * min(width, height) // 10
        draw.ellipse((inset, inset, width - inset, height - inset), fill=figure if ring % 2 == 0 else ground)
    out = io.BytesIO()
    image.save(out, form, **({"quality": 80} if form == "JPEG" else {}))
    return out.getvalue()


def picture(name: str, width: int, height: int, form: str = "JPEG") -> bytes:
    """A JPEG or PNG of this size."""
    data = _drawn(dice.number(name) % SCENES, width, height, form)
    if form != "JPEG":
        return data
    comment = name.encode()[:60_000]
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
