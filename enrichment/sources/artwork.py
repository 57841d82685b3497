"""One picture, downloaded and checked: is it a picture, bounded in bytes and pixels, and not a known placeholder? Then
it is made into the sizes that pages show.

Pictures come from any host, so what one of them refuses says nothing about the others: it is an answer, not a refusal
that stops the source. One that asks us to wait is waited for, and the others go on. Private addresses are refused by
the wire.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from PIL import Image

from enrichment.domain.outcomes import ANSWER, Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Freshness, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http
from enrichment.sources.deezer import is_default_picture
from enrichment.sources.pictures import BROKEN, Rendered, render
from enrichment.sources.reading import Told, fields_of, text

LARGEST_BYTES = 15_000_000
LARGEST_PIXELS = 50_000_000
SMALLEST_SIDE = 100
UNSAID_SECONDS = 5.0
"""To leave a host alone that says "too fast" and not for how long."""

_MAGIC = (
    ("jpeg", b"\xff\xd8\xff", 0, b""),
    ("png", b"\x89PNG\r\n\x1a\n", 0, b""),
    ("gif", b"GIF8", 0, b""),
    ("webp", b"RIFF", 8, b"WEBP"),
)
"""Format, what the file starts with, and what stands further on where."""

_PLACEHOLDER_NAMES = ("2a96cbd8b46e442fc41c2b86b821562f",)
"""In addresses: Last.fm's grey star."""
PLACEHOLDERS = frozenset[str]()
"""SHA-256 of default pictures that come under ordinary addresses; to be extended as they are met."""


class Artwork(Source[Line]):
    """The chosen cover or portrait."""

    name = "artwork"
    url = ""
    budget = Budget((Limit(4, 1, burst=2),), concurrency=6)
    terms = Terms(attribution="", url="", licence="as the source of the picture's address says")
    freshness = Freshness(days=90)
    cache_seconds = 0.0
    hosts_apart = True
    questions = (
        Question(
            name="download",
            kind=Kind.ALBUM,
            needs=("cover_art_url",),
            gives=fields_of(Kind.ALBUM, "artwork"),
            blocking=False,
        ),
        Question(
            name="portrait",
            kind=Kind.PERFORMER,
            needs=("image_url",),
            gives=fields_of(Kind.PERFORMER, "artwork"),
            blocking=False,
        ),
    )

    def client(self, line: Line) -> Line:
        """The line itself."""
        return line

    def ask(self, question: Question, asks: Sequence[Ask], client: Line) -> Sequence[Answer]:
        """One download. What is not a picture is nothing found, with the reason."""
        url = text(asks[0].keys[question.needs[0]])
        if urlsplit(url).scheme not in ("http", "https"):
            return [Answer.nothing(f"not an address: {url[:80]!r}")]
        if is_placeholder(url):
            return [Answer.nothing("a known placeholder")]
        reply = client.send("GET", url, cache=False)
        if reply.status >= 400:
            return [Answer.nothing(f"HTTP {reply.status}")]
        try:
            facts = inspect(reply.body)
            shown = _rendered(reply.body)
        except NotAPictureError as reason:
            return [Answer.nothing(str(reason))]
        told = Told(question.kind, asks[0].keys, {"": 1.0}, reason="downloaded and checked")
        if shown is None:
            told.tell(artwork={"url": url, **facts})
            return [told.answer()]
        sizes = {name: {"url": path_of(str(facts["sha256"]), name), **size} for name, size in shown.sizes.items()}
        told.tell(artwork={"url": url, **facts, "sizes": sizes, "colour": shown.colour, "blurhash": shown.blurhash})
        return [replace(told.answer(), pictures=shown.jpegs)]

    def judge(self, reply: Reply) -> Judgement:
        """One host's refusal is an answer about this picture; its "wait" is for its own pictures."""
        verdict = judge_http(reply)
        if verdict.verdict is Verdict.OUR_RATE or verdict.retry_after:
            return Judgement(Verdict.SHED, verdict.retry_after or UNSAID_SECONDS, verdict.message)
        return ANSWER if verdict.verdict in (Verdict.REFUSED, Verdict.BAD_REQUEST) else verdict


class NotAPictureError(Exception):
    """The bytes are no picture that we would show; the message says why."""


def is_placeholder(url: str) -> bool:
    """Does this address lead to a picture that stands for "no picture"?"""
    return is_default_picture(url) or any(name in url for name in _PLACEHOLDER_NAMES)


def inspect(body: bytes, placeholders: Collection[str] = PLACEHOLDERS) -> dict[str, str | int]:
    """`width`, `height`, `format`, `bytes` and `sha256` of a picture. Raises NotAPictureError."""
    if len(body) > LARGEST_BYTES:
        raise NotAPictureError(f"{len(body)} bytes, more than {LARGEST_BYTES}")
    form = _format(body)
    if not form:
        raise NotAPictureError("not a JPEG, PNG, GIF or WebP picture")
    digest = hashlib.sha256(body).hexdigest()
    if digest in placeholders:
        raise NotAPictureError("a known placeholder")
    width, height = _size(body)
    if width * height > LARGEST_PIXELS:
        raise NotAPictureError(f"{width} x {height} pixels, more than {LARGEST_PIXELS}")
    if min(width, height) < SMALLEST_SIDE:
        raise NotAPictureError(f"only {width} x {height} pixels")
    return {"width": width, "height": height, "format": form, "bytes": len(body), "sha256": digest}


def path_of(sha256: str, size: str) -> str:
    """Where the service shows a picture."""
    return f"/artwork/{sha256}/{size}"


def _rendered(body: bytes) -> Rendered | None:
    try:
        return render(body)
    except BROKEN as error:
        raise NotAPictureError(f"a broken picture: {error}") from error


def _format(body: bytes) -> str:
    for form, start, at, further in _MAGIC:
        if body.startswith(start) and body[at : at + len(further)] == further:
            return form
    return ""


def _size(body: bytes) -> tuple[int, int]:
    """Width and height by the header, before anything is decoded, so that no picture can fill the memory."""
    try:
        with Image.open(io.BytesIO(body), formats=("JPEG", "PNG", "GIF", "WEBP")) as picture:
            size = picture.size
            picture.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotAPictureError(str(error)) from error
    except BROKEN as error:
        raise NotAPictureError(f"a broken picture: {error}") from error
    return size
