"""Duplicates by HTTP: looked at, merged, rejected; both ids find the one, also for who was waiting."""

from __future__ import annotations

import httpx

from enrichment.services import merging
from enrichment.services.tokens import Scope
from tests.service.conftest import Api
from tests.support import eventually


def test_a_pair_is_merged_while_somebody_waits(api: Api) -> None:
    for given, artist in (("p-1", "Massive Attack"), ("p-2", "Massive Attack feat. Liz")):
        api.submitted(track_id=given, artist_name=artist, duration_ms=330_000)
    api.bench.settle_down()
    api.bench.forget_replies()
    eventually(lambda: merging.find_duplicates(api.fleet).proposed, 10, "the pair is proposed")
    since = api.http.get("/changes").json()["next"]
    (pair,) = api.http.get("/duplicates").json()
    waiting = api.later("POST", "/tracks/p-2/enrich", params={"force_refresh": "true", "wait": 30})
    api.waiters()

    reader = api.token(Scope.READ)
    assert httpx.post(f"{api.url}/duplicates/{pair['id']}/merge", headers=reader).status_code == 403
    merged = api.http.post(f"/duplicates/{pair['id']}/merge").json()
    assert not waiting.done()
    api.bench.settle_down()

    answer = waiting.result().json()
    assert (answer["status"], answer["track_id"]) == ("completed", "p-1")
    assert merged == api.http.get(f"/duplicates/{pair['id']}").json()
    first, second = (api.http.get(f"/tracks/{given}").json() for given in ("p-1", "p-2"))
    assert first == second
    assert first["id"] == merged["kept"]
    assert api.http.get("/tracks/p-2/enrichment_status").json()["id"] == merged["kept"]
    (gone,) = (each["id"] for each in pair["subjects"] if each["id"] != merged["kept"])

    def told() -> bool:
        changes = api.http.get("/changes", params={"since": since}).json()["changes"]
        return (gone, merged["kept"]) in [(each["id"], each.get("merged_into")) for each in changes]

    eventually(told, 10, "mirrors are told")
    audit = api.http.get("/audit").json()[0]
    assert (audit["action"], audit["target"], audit["outcome"]) == ("merge duplicates", str(pair["id"]), "done")


def test_a_rejected_pair_stays_two(api: Api) -> None:
    api.bench.run("INSERT INTO albums (title, artist, barcode) VALUES ('Dummy', 'Portishead', '1'), ('D', 'P', '1')")
    eventually(lambda: merging.find_duplicates(api.fleet).proposed, 10, "the pair is proposed")
    (pair,) = api.http.get("/duplicates").json()

    assert api.http.post(f"/duplicates/{pair['id']}/reject").json()["state"] == "rejected"

    assert api.http.post(f"/duplicates/{pair['id']}/merge").status_code == 409
    assert api.http.get("/duplicates").json() == []
    assert [each["id"] for each in api.http.get("/duplicates", params={"state": "rejected"}).json()] == [pair["id"]]
    assert api.http.post("/duplicates/99999/merge").status_code == 404
