"""The Cover Art Archive (coverartarchive.org): front covers of MusicBrainz' releases, without key or limit.

Its listings are redirected to archive.org, which is the one to be overloaded. Ids of pictures are text in old entries
and numbers in new ones; old entries have the sizes `large` and `small` only. Facts: reference, upstreams 1.2 and 3.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from enrichment.domain.outcomes import Answer, Judgement, Verdict
from enrichment.domain.questions import Budget, Chances, Freshness, Limit, Question, Terms
from enrichment.domain.subjects import Kind
from enrichment.sources.base import Ask, Line, Reply, Source, judge_http, retry_after
from enrichment.sources.reading import Api, Json, Told, by_mbid, fields_of, is_mbid, many, one, text

_SURE = {"": 0.9}
_OF_A_GROUP = 0.9
"""A release group's cover is that of one of its releases."""
_GIVES = fields_of(Kind.ALBUM, "cover_art_url", "images")
_SIZES = ("500", "large", "1200", "250", "small")
"""Thumbnails in the order in which we take one as the cover; "large" is 500 pixels wide."""


class CoverArtArchive(Source[Api]):
    """Covers by release and by release group."""

    name = "coverartarchive"
    url = "https://coverartarchive.org"
    budget = Budget((Limit(5, 1, burst=2),), concurrency=4)
    terms = Terms(
        attribution="Cover from the Cover Art Archive",
        url="https://coverartarchive.org",
        licence="pictures belong to their owners; used at one's own risk",
    )
    chances = Chances(reach=0.75)
    freshness = Freshness(days=90)
    max_seconds = 20.0
    questions = (
        Question(name="release", kind=Kind.ALBUM, needs=("musicbrainz_release_id",), gives=_GIVES),
        Question(name="release_group", kind=Kind.ALBUM, needs=("musicbrainz_release_group_id",), gives=_GIVES),
    )

    def ids(self, kind: Kind, given: str) -> Sequence[Mapping[str, str]]:
        """MBIDs."""
        return by_mbid(kind, given)

    def client(self, line: Line) -> Api:
        """The API on the wire."""
        return Api(line)

    def ask(self, question: Question, asks: Sequence[Ask], client: Api) -> Sequence[Answer]:
        """One call for the one lookup."""
        ask, is_release = asks[0], question.name == "release"
        mbid = text(ask.keys["musicbrainz_release_id" if is_release else "musicbrainz_release_group_id"])
        if not is_mbid(mbid):
            return [Answer.nothing(f"{mbid[:80]!r} is not a MusicBrainz id")]
        kind = "release" if is_release else "release-group"
        reply = client.get(kind, mbid)
        if reply is None:
            return [Answer.nothing()]
        front = _front(many(one(reply)["images"]))
        if not front:
            return [Answer.nothing("no front cover")]
        match = 1.0 if is_release else _OF_A_GROUP
        told = Told(Kind.ALBUM, ask.keys, _SURE, match=match, reason=f"{kind} {mbid}")
        told.tell(cover_art_url=_cover(front), images=_images(front))
        return [told.answer()]

    def judge(self, reply: Reply) -> Judgement:
        """503 is said to mean our rate; archive.org says it when it is down."""
        if reply.status == 503 and b"rate limit" in reply.body:
            return Judgement(Verdict.OUR_RATE, retry_after(reply), f"HTTP 503: {reply.text[:200]}")
        return judge_http(reply)


def _front(images: Sequence[Json]) -> Json:
    """The approved front cover, or one that waits for approval."""
    fronts = [image for image in images if image.get("front") is True]
    return next((image for image in fronts if image.get("approved") is True), fronts[0] if fronts else {})


def _cover(front: Json) -> str:
    thumbnails = one(front.get("thumbnails"))
    found = (text(thumbnails.get(size)) for size in _SIZES)
    return next(filter(None, found), text(front.get("image")))


def _images(front: Json) -> list[Json]:
    """The front cover in its sizes, the largest first; how large exactly is not said."""
    thumbnails = one(front.get("thumbnails"))
    addresses = [
        text(front.get("image")),
        *(text(thumbnails.get(size)) for size in ("1200", "500", "large", "250", "small")),
    ]
    return [{"url": url} for url in dict.fromkeys(addresses) if url]
