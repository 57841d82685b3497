"""The simulated GraphQL endpoint: what is asked for, and nothing else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from simulator import dice
from simulator.truth import Performer, World
from simulator.upstreams import Part, Shelf
from simulator.upstreams.residentadvisor import ResidentAdvisor
from simulator.wire import Request


@pytest.fixture(name="known", scope="module")
def _known(world: World) -> dict[str, Performer]:
    return ResidentAdvisor(Part("residentadvisor", Shelf(world)))._known


def ask(http: httpx.Client, query: str, **variables: str) -> Any:
    return http.post("/residentadvisor/graphql", json={"query": query, "variables": variables}).json()


def test_an_artist_by_slug_and_by_id(http: httpx.Client, known: dict[str, Performer]) -> None:
    slug, performer = next((slug, one) for slug, one in known.items() if not slug.isdecimal() and one.country == "GB")
    query = "query X($slug: String!) { artist(slug: $slug) { id name contentUrl country { name urlCode __typename } } }"
    artist = ask(http, query, slug=slug)["data"]["artist"]
    assert (artist["name"], artist["contentUrl"]) == (performer.name, f"/dj/{slug}")
    assert artist["country"] == {"name": "United Kingdom", "urlCode": "UK", "__typename": "Artist"}
    by_id = ask(http, "query X($id: ID!) { artist(id: $id) { id name } }", id=artist["id"])["data"]["artist"]
    assert by_id == {"id": artist["id"], "name": performer.name}


def test_nobody_and_errors(http: httpx.Client) -> None:
    nobody = dice.hexadecimal(20, "nobody")
    assert ask(http, "query X($slug: String!) { artist(slug: $slug) { id } }", slug=nobody) == {
        "data": {"artist": None}
    }
    assert ask(http, "{ venue(id: 1) { id } }")["errors"]
    assert http.post("/residentadvisor/graphql", content=b"{").status_code == 400
    assert http.get("/residentadvisor/graphql").status_code == 404


def test_unknown_fields_are_an_error(http: httpx.Client, known: dict[str, Performer]) -> None:
    reply = ask(http, f'{{ artist(slug: "{next(iter(known))}") {{ shoeSize }} }}')
    assert "shoeSize" in reply["errors"][0]["message"]


def test_a_refusal(world: World) -> None:
    reply = ResidentAdvisor(Part("residentadvisor", Shelf(world))).refuse(5, Request("POST", "/graphql"))
    assert (reply.status, b"errors" in reply.body) == (429, True)
