from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enrichment.domain.outcomes import Outcome, Verdict
from enrichment.sources.base import Reply
from enrichment.sources.coverartarchive import CoverArtArchive

SOURCE = CoverArtArchive()
MBID = "76df3287-6cda-33eb-8e9a-044b5e15ffdd"


@pytest.mark.parametrize(
    ("reply", "verdict", "wait"),
    [
        (Reply(503, {"retry-after": "9"}, b"You have exceeded your rate limit"), Verdict.OUR_RATE, 9),
        (Reply(503, {}, b"<html>archive.org is down</html>"), Verdict.FAILING, None),
        (Reply(429, {}, b""), Verdict.OUR_RATE, None),
        (Reply(404, {}, b"<html>No cover art found</html>"), Verdict.ANSWER, None),
        (Reply(400, {}, b"invalid UUID"), Verdict.BAD_REQUEST, None),
    ],
)
def test_judgement(reply: Reply, verdict: Verdict, wait: float | None) -> None:
    judgement = SOURCE.judge(reply)
    assert (judgement.verdict, judgement.retry_after) == (verdict, wait)


def test_the_front_is_taken_and_an_approved_one_first(ask: Any, told: Any) -> None:
    images = [
        {"front": False, "approved": True, "image": "back"},
        {"front": True, "approved": False, "image": "draft"},
        {"front": True, "approved": True, "image": "front", "thumbnails": {}},
    ]
    replies = {f"/release/{MBID}": {"images": images}}
    assert told(ask(SOURCE, "release", {"musicbrainz_release_id": MBID}, replies))["cover_art_url"] == "front"
    del images[2]
    assert told(ask(SOURCE, "release", {"musicbrainz_release_id": MBID}, replies))["cover_art_url"] == "draft"
    del images[1]
    assert ask(SOURCE, "release", {"musicbrainz_release_id": MBID}, replies).outcome is Outcome.NOTHING_FOUND


def test_recorded_old_entry(recorded: Path, ask: Any, told: Any) -> None:
    body = next((recorded / "coverartarchive").glob("*.json")).read_bytes()
    found = told(ask(SOURCE, "release", {"musicbrainz_release_id": MBID}, {f"/release/{MBID}": body}))
    assert found["cover_art_url"].endswith("/829521842-500.jpg")
    assert [image["url"][-14:] for image in found["images"]] == [
        "/829521842.jpg",
        "521842-500.jpg",
        "521842-250.jpg",
    ]
