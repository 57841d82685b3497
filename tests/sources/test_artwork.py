from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.artwork import Artwork, NotAPictureError, inspect, is_placeholder
from enrichment.sources.base import Reply

SOURCE = Artwork()
URL = "https://img.example.org/cover.jpg"


def picture(form: str, width: int = 300, height: int = 200) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (120, 30, 60)).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_pictures(form: str, ask: Any, told: Any) -> None:
    body = picture(form)
    answer = ask(SOURCE, "download", {"cover_art_url": URL}, {"/cover.jpg": body})
    found, digest = told(answer)["artwork"], hashlib.sha256(body).hexdigest()
    assert (
        found.items()
        >= {
            "url": URL,
            "width": 300,
            "height": 200,
            "format": form.lower(),
            "bytes": len(body),
            "sha256": digest,
        }.items()
    )
    assert found["sizes"]["small"] == {"url": f"/artwork/{digest}/small", "width": 64, "height": 43}
    assert len(found["blurhash"]) == 28
    assert [int(found["colour"][at : at + 2], 16) for at in (1, 3, 5)] == pytest.approx([120, 30, 60], abs=4)
    assert answer.pictures.keys() == found["sizes"].keys() == {"small", "medium", "large"}
    portrait = ask(SOURCE, "portrait", {"image_url": URL}, {"/cover.jpg": body})
    assert told(portrait)["artwork"] == found


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims to be this large."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not a JPEG"),
        (b"<html>not found</html>", "not a JPEG"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "not a JPEG"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 200, "broken"),
        (picture("PNG")[:60], "broken"),
        (picture("JPEG", 99, 300), "only 99 x 300"),
        (png_of(8000, 7000), "more than"),
        (png_of(60_000, 60_000), "pixels"),
        (picture("JPEG") + b"\x00" * 15_000_000, "bytes, more than"),
    ],
    ids=["empty", "HTML", "sound", "broken JPEG", "cut PNG", "small", "large", "a bomb", "long"],
)
def test_what_is_no_picture(body: bytes, reason: str, ask: Any) -> None:
    with pytest.raises(NotAPictureError, match=reason):
        inspect(body)
    answer = ask(SOURCE, "download", {"cover_art_url": URL}, {"/cover.jpg": body})
    assert answer.outcome is Outcome.NOTHING_FOUND
    assert reason in answer.note


@pytest.mark.parametrize(
    "url",
    [
        "https://lastfm.freetls.fastly.net/i/u/300x300/2a96cbd8b46e442fc41c2b86b821562f.png",
        "https://cdn-images.dzcdn.net/images/artist//1000x1000-000000-80-0-0.jpg",
        "https://cdn-images.dzcdn.net/images/cover//500x500-000000-80-0-0.jpg",
    ],
)
def test_known_placeholders_are_not_even_fetched(url: str, line: Any, ask: Any) -> None:
    assert is_placeholder(url)
    assert ask(SOURCE, "portrait", {"image_url": url}, {}).note == "a known placeholder"


def test_placeholders_by_content() -> None:
    body = picture("PNG")
    with pytest.raises(NotAPictureError, match="placeholder"):
        inspect(body, {hashlib.sha256(body).hexdigest()})


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "cover.jpg", "data:image/png;base64,xx", "javascript:alert(1)"]
)
def test_what_is_no_address(url: str, ask: Any) -> None:
    assert ask(SOURCE, "download", {"cover_art_url": url}, {}).outcome is Outcome.NOTHING_FOUND


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.ANSWER),
        (400, Verdict.ANSWER),
        (401, Verdict.ANSWER),
        (403, Verdict.ANSWER),
        (404, Verdict.ANSWER),
        (429, Verdict.SHED),
        (500, Verdict.FAILING),
        (503, Verdict.FAILING),
    ],
)
def test_one_host_does_not_stop_the_others(status: int, verdict: Verdict, ask: Any) -> None:
    assert SOURCE.judge(Reply(status, {}, b"")).verdict is verdict
    if verdict in (Verdict.SHED, Verdict.FAILING):
        asked_to_wait = SOURCE.judge(Reply(status, {"retry-after": "40"}, b""))
        assert (asked_to_wait.verdict, asked_to_wait.retry_after) == (Verdict.SHED, 40)
    if verdict is Verdict.ANSWER and status >= 400:
        answer = ask(SOURCE, "download", {"cover_art_url": URL}, {"/cover.jpg": Reply(status, {}, b"no")})
        assert answer.note == f"HTTP {status}"
