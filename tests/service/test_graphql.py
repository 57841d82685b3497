"""GraphQL: what is asked for, what is known, progress over WebSocket, and what one operation may cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from enrichment.services.tokens import Scope
from tests.service.conftest import Api

RESULT = "{ trackId status sourcesUsed metadataAcquired errors durationSeconds cached timestamp }"


def asked(api: Api, query: str, headers: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
    found = api.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    assert found.status_code == 200, found.text
    answer: dict[str, Any] = found.json()
    return answer


def data(api: Api, query: str, **variables: Any) -> dict[str, Any]:
    answer = asked(api, query, **variables)
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]
    return found


def code(answer: dict[str, Any]) -> str:
    (error,) = answer["errors"]
    found: str = error["extensions"]["code"]
    return found


def test_a_track_is_enriched_and_waited_for(api: Api) -> None:
    api.bench.track(track_id="4711")
    api.bench.settle_down()
    query = f"mutation ($id: ID!) {{ enrichTrack(trackId: $id, forceRefresh: true, wait: 50) {RESULT} }}"
    under_way = api.threads.submit(data, api, query, id="4711")
    api.waiters()
    while not under_way.done():
        api.bench.settle_down(1)

    result = under_way.result()["enrichTrack"]
    assert (result["trackId"], result["status"], result["cached"]) == ("4711", "COMPLETED", False)
    assert result["sourcesUsed"] == ["alpha", "beta"]
    assert result["metadataAcquired"]["isrc"] == "GBAAA9800322"


def test_many_tracks(api: Api) -> None:
    api.bench.track(track_id="4711")

    results = data(api, f'mutation {{ enrichTracks(trackIds: ["4711", "9"], forceRefresh: false) {RESULT} }}')

    known, unknown = results["enrichTracks"]
    assert (known["status"], unknown["status"]) == ("IN_PROGRESS", "FAILED")
    assert "'9' is not known" in unknown["errors"][0]


def test_what_is_known(api: Api) -> None:
    api.submitted()
    api.bench.settle_down()
    performer = api.bench.rows("SELECT id FROM performers")[0].id

    found = data(
        api,
        """query ($ids: [ID!]!, $performer: ID!) {
          tracks(ids: $ids) { trackId title artistName isrc key genres fields }
          track(id: "4711") { id bpm }
          performer(id: $performer) { name country genres }
          enrichmentStatus(id: "4711") { status completenessScore hasArtwork position }
        }""",
        ids=["4711", "9"],
        performer=str(performer),
    )

    track, unknown = found["tracks"]
    assert unknown is None
    assert (track["title"], track["isrc"], track["key"]) == ("Teardrop", "GBAAA9800322", "A Minor")
    assert track["fields"]["bpm"] == found["track"]["bpm"] == 78.0
    assert found["performer"] == {"name": "Massive Attack", "country": "GB", "genres": ["trip hop"]}
    assert found["enrichmentStatus"]["status"] == "COMPLETED"


def test_scopes(api: Api) -> None:
    api.submitted()
    mutation, query = (
        f'mutation {{ enrichTrack(trackId: "4711", wait: 0) {RESULT} }}',
        '{ track(id: "4711") { title } }',
    )

    assert code(asked(api, mutation, headers=api.token(Scope.READ))) == "FORBIDDEN"
    assert code(asked(api, query, headers=api.token(Scope.SUBMIT))) == "FORBIDDEN"
    assert "errors" not in asked(api, mutation, headers=api.token(Scope.SUBMIT))


def test_a_generic_client_can_introspect(api: Api) -> None:
    types = "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"
    found = data(api, f"{{ __schema {{ types {{ name fields {{ name type {{ {types} }} }} }} }} }}")

    fields = {t["name"]: {field["name"] for field in t["fields"] or ()} for t in found["__schema"]["types"]}
    assert {"enrichTrack", "enrichTracks"} <= fields["Mutation"]
    assert fields["EnrichmentResult"] == {
        *("trackId", "status", "sourcesUsed", "metadataAcquired", "errors", "durationSeconds", "cached", "timestamp")
    }


@pytest.mark.parametrize(
    "query",
    [
        "{ " + " ".join(f'a{n}: track(id: "{n}") {{ id }}' for n in range(30)) + " }",
        "{ " + "__typename " * 3000 + "}",
        "query ($ids: [ID!]!) { tracks(ids: $ids) { id } }",
        'query ($ids: [ID!]!) { tracks(ids: $ids) { id } performers(ids: $ids) { id } track(id: "\\u0000") { id } }',
        "{ nonsense }",
        "{",
    ],
    ids=["aliases", "tokens", "too many subjects", "no id", "no such field", "no query"],
)
def test_what_costs_too_much_or_is_wrong_is_refused(api: Api, query: str) -> None:
    answer = asked(api, query, ids=[str(n) for n in range(501 if "performers" in query else 1001)])

    assert answer["errors"]
    assert "Traceback" not in json.dumps(answer)


def test_nothing_by_get(api: Api) -> None:
    assert api.http.get("/graphql", params={"query": "{ __typename }"}).status_code == 400


def test_defects_are_not_told(api: Api) -> None:
    api.bench.run("ALTER TABLE tracks RENAME TO hidden")
    try:
        answer = asked(api, '{ track(id: "4711") { title } }')
    finally:
        api.bench.run("ALTER TABLE hidden RENAME TO tracks")

    assert answer["errors"][0]["message"] == "Unexpected error."


# --- subscriptions -------------------------------------------------------------------------------------------------

PROGRESS = f'subscription {{ enrichmentProgress(trackId: "4711") {RESULT} }}'


@contextmanager
def subscribed(api: Api, headers: dict[str, str], first: dict[str, str] | None = None) -> Iterator[ClientConnection]:
    url = f"{api.url.replace('http', 'ws')}/graphql"
    with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": first or {}}))
        assert json.loads(socket.recv(10))["type"] == "connection_ack"
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": PROGRESS}}))
        yield socket


@pytest.mark.parametrize("way", ["header", "first message"])
def test_progress_over_websocket(api: Api, way: str) -> None:
    api.submitted()
    token = api.token(Scope.READ)
    first = {"authorization": token["Authorization"]}
    with subscribed(api, token if way == "header" else {}, None if way == "header" else first) as socket:
        told = [json.loads(socket.recv(10))]
        api.bench.settle_down()
        while told[-1]["type"] == "next":
            told.append(json.loads(socket.recv(10)))

    statuses = [each["payload"]["data"]["enrichmentProgress"]["status"] for each in told[:-1]]
    assert (statuses[0], statuses[-1], told[-1]["type"]) == ("IN_PROGRESS", "COMPLETED", "complete")


def test_no_progress_without_a_token(api: Api) -> None:
    api.submitted()
    with subscribed(api, {}) as socket:
        said = json.loads(socket.recv(10))

    assert "access token" in json.dumps(said)
    assert "COMPLETED" not in json.dumps(said)


def test_unread_http_of_other_sites(api: Api) -> None:
    """A form of another site cannot send JSON, and what it can send is refused."""
    headers = {"Content-Type": "text/plain"} | api.token(Scope.ADMIN)
    found = httpx.post(f"{api.url}/graphql", content='{"query": "{ __typename }"}', headers=headers)

    assert found.status_code == 400
