"""Schedules over HTTP."""

from __future__ import annotations

from enrichment.services.tokens import Scope
from tests.service.conftest import Api


def test_seen_run_and_paused_by_those_who_may(api: Api) -> None:
    reader = api.token(Scope.READ)
    names = [each["name"] for each in api.http.get("/schedules", headers=reader).json()]
    assert names[0] == "nightly_enrichment"
    assert api.http.post("/schedules/purge/run", headers=reader).status_code == 403

    begun = api.http.post("/schedules/purge/run")
    assert (begun.status_code, begun.json()["schedule"], begun.json()["outcome"]) == (202, "purge", None)
    again = api.http.post("/schedules/purge/run")
    assert (again.status_code, again.json()["detail"]) == (409, "a run of purge is open already")
    assert api.http.post("/schedules/nothing/run").status_code == 404

    assert api.http.post("/schedules/recheck/pause").json()["paused"] is True
    assert api.http.post("/schedules/recheck/resume").json()["next_run"] is not None
    done = [(each["action"], each["target"]) for each in api.http.get("/audit").json()]
    assert {("run", "purge"), ("pause", "recheck"), ("resume", "recheck")} <= set(done)
