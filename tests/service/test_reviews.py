"""Reviews and locks by HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from enrichment.reservoir import reviews as rows
from enrichment.reservoir.reviews import NewReview
from enrichment.reservoir.subjects import Ref
from enrichment.services.requests import PerformerRequest, read
from enrichment.services.submit import submit
from tests.service.conftest import Api


def candidate(id_: str) -> dict[str, Any]:
    said = [{"field": "deezer_id", "value": id_, "confidence": 0.9}]
    return {"id": id_, "name": "Sasha", "score": 0.9, "reasons": [], "findings": said}


@pytest.fixture
def reviewed(api: Api) -> tuple[str, list[int]]:
    """A performer that two sources are unsure about, with its reviews."""
    ref: Ref = submit(api.fleet, read(PerformerRequest, {"name": "Sasha", "performer_id": "p/1"}))
    with api.fleet.engine.begin() as connection:
        both = [candidate("anna"), candidate("ben")]
        rows.put(
            connection,
            [
                NewReview(
                    ref, rows.NAMESAKES, source, "artist_search", ["deezer_id"], both, "2 performers of this name"
                )
                for source in ("alpha", "beta")
            ],
        )
    return str(ref.id), [each["id"] for each in api.http.get("/reviews").json()]


def test_listed_and_decided(api: Api, reviewed: tuple[str, list[int]]) -> None:
    subject, (newest, oldest) = reviewed

    def listed(**which: Any) -> list[int]:
        return [each["id"] for each in api.http.get("/reviews", params=which).json()]

    assert newest > oldest
    assert listed(limit=1, below=newest) == listed(source="alpha") == [oldest]
    assert listed(subject="p/1") == listed(subject=subject, doubt="namesakes") == [newest, oldest]
    assert listed(doubt="shared_id") == listed(state="decided") == []
    assert [each["id"] for each in api.http.get("/performers/p/1").json()["reviews"]] == [newest, oldest]
    assert [c["id"] for c in api.http.get(f"/reviews/{oldest}").json()["candidates"]] == ["anna", "ben"]

    address = f"/reviews/{oldest}/decision"
    assert api.http.post(address, json={"decision": "choose"}).status_code == 422
    assert api.http.post(address, json={"decision": "perhaps"}).status_code == 422
    assert api.http.post("/reviews/4711/decision", json={"decision": "none"}).status_code == 404
    decided = api.http.post(address, json={"decision": "choose", "candidate": "ben"}).json()

    assert (decided["decision"], decided["chosen"]) == ("chosen", "ben")
    assert decided["decided_by"].endswith("(tests)")
    assert listed(state="decided") == [oldest]
    assert listed() == []  # the other source's doubt is over too
    assert api.http.get("/performers/p/1").json()["fields"]["deezer_id"] == "ben"
    assert api.http.get("/reviews/4711").status_code == 404


def test_fields_are_locked_and_unlocked(api: Api, reviewed: tuple[str, list[int]]) -> None:
    lock = "/performers/p/1/locks/country"
    assert api.http.put(lock, json={"value": "Wales"}).json()["value"] == "Wales"
    assert api.http.put(lock).json()["value"] == "Wales"

    told = api.http.get("/performers/p/1").json()
    assert told["fields"]["country"] == "Wales"
    assert told["merged"]["country"] == {
        "source": "person",
        "confidence": 1.0,
        "reason": "locked by a person",
        "locked": True,
    }
    assert "left_out" in told

    assert api.http.delete(lock).status_code == 204
    assert api.http.delete(lock).status_code == 404
    assert "country" not in api.http.get("/performers/p/1").json()["fields"]


BAD = [
    ("popularity", b'{"value": 1e999}'),
    ("popularity", b'{"value": ' + b"9" * 400 + b"}"),
    ("popularity", b'{"value": 99999999999}'),
    ("country", b'{"value": "\\ud800"}'),
    ("genres", b'{"value": ["\\ud800"]}'),
    ("spotify_id", b'{"value": "' + b"x" * 9000 + b'"}'),
    ("images", b'{"value": {}}'),
    ("name", b'{"value": "Alexander"}'),
    ("country", b'{"valeu": 1}'),
]
NOT_POSSIBLE = {"%00": 404, "mood": 404, "deezer_id": 409}


def test_what_cannot_be_kept_is_told(api: Api, reviewed: tuple[str, list[int]]) -> None:
    headers = {"content-type": "application/json"}
    for field, body in BAD:
        found = api.http.put(f"/performers/p/1/locks/{field}", content=body, headers=headers)
        assert found.status_code == 422, (field, body, found.text)
        assert any(named in found.text for named in (field, "value", "valeu"))
    for field, status in NOT_POSSIBLE.items():
        assert api.http.put(f"/performers/p/1/locks/{field}", json=None).status_code == status
