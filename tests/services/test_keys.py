"""Keys of upstreams: kept sealed, taken over by what runs, tried, sealed anew, and never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from enrichment.domain.outcomes import Answer
from enrichment.domain.questions import Budget, Limit, Question
from enrichment.domain.subjects import Kind
from enrichment.reservoir.keys import CannotOpen, Keys, Seal, new_master
from enrichment.services import keys, standing
from enrichment.services.requests import BadRequest
from enrichment.sources.base import Ask, Line, mark
from tests.conftest import Empty
from tests.services.fakes import Bench, Fake, a_bench, names

OLD, NEW = "old-key-of-gamma", "new-key-of-gamma"
BY_KEY = Budget((Limit(5_000, 1, 500),), concurrency=8)


@dataclass(frozen=True)
class Client:
    """Keeps the key that it was made with, as libraries do."""

    line: Line
    key: str | None


class Gamma(Fake):
    """Asks with a key in a header and in the address."""

    name = "gamma"
    secrets = ("GAMMA_KEY",)
    probes: ClassVar[tuple[str, ...]] = ()
    questions = (
        Question("open", Kind.TRACK, ("artist_name", "title"), names("bpm")),
        Question("locked", Kind.TRACK, ("artist_name", "title"), names("isrc"), requires=("GAMMA_KEY",)),
    )

    def client(self, line: Line) -> Any:
        return Client(line, line.secrets.get("GAMMA_KEY"))

    def ask(self, question: Question, asks: Sequence[Ask], client: Any) -> Sequence[Answer]:
        query = {"q": json.dumps([dict(ask.keys) for ask in asks]), "key": mark("GAMMA_KEY")}
        url = str(httpx.URL(f"{client.line.base_url}/{question.name}", params=query))
        reply = client.line.send("GET", url, headers={"authorization": client.key or ""})
        return [self._read(each) for each in reply.json()]

    def budget_with(self, secrets: Mapping[str, str]) -> Budget:
        return BY_KEY if "GAMMA_KEY" in secrets else self.budget


class Delta(Fake):
    """Needs two keys."""

    name = "delta"
    secrets = ("DELTA_ID", "DELTA_SECRET")
    questions = (
        Question("performer", Kind.PERFORMER, ("name",), names("genres"), requires=("DELTA_ID", "DELTA_SECRET")),
    )


@dataclass
class Gate:
    """The upstream of both: opens to some keys."""

    opens: set[str] = field(default_factory=lambda: {OLD, NEW})
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """Question, key in the header, key in the address."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        question, query = parts.path.rpartition("/")[2], parse_qs(parts.query)
        given = request.headers.get("authorization", "")
        self.seen.append((question, given, query.get("key", [""])[0]))
        if question == "locked" and given not in self.opens:
            return httpx.Response(403, text=f"{given} opens nothing")
        return httpx.Response(200, json=[{"bpm": 78.0} if question == "open" else {"isrc": "GBAAA9800322"}])


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def master() -> str:
    return new_master()


@pytest.fixture
def bench(empty: Empty, gate: Gate, master: str) -> Iterator[Bench]:
    """Without any key, but with a master key."""
    made = a_bench(empty, gate, (Gamma(), Delta()), {"LINERNOTES_SECRET_KEYS": master})  # type: ignore[arg-type]  # another upstream
    yield made
    made.close()


def _askable(bench: Bench) -> set[str]:
    bench.fleet.forget()
    bench.fleet.standings()
    return {question.name for question in bench.fleet.questions["gamma"]}


class TestStored:
    def test_a_key_opens_what_runs_already(self, bench: Bench, gate: Gate) -> None:
        assert _askable(bench) == {"open"}

        assert keys.put(bench.fleet, "GAMMA_KEY", f" {OLD}\n") == ["gamma"]

        assert _askable(bench) == {"open", "locked"}
        assert bench.fleet.limiter.budget("gamma") == BY_KEY
        bench.track()
        bench.settle_down()
        assert ("locked", OLD, OLD) in gate.seen

    def test_another_makes_the_client_anew(self, bench: Bench, gate: Gate) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        bench.track()
        bench.settle_down()

        keys.put(bench.fleet, "GAMMA_KEY", NEW)
        bench.track("Angel")
        bench.settle_down()

        assert [key for question, *given in gate.seen if question == "locked" for key in given] == [OLD, OLD, NEW, NEW]

    def test_it_is_sealed(self, bench: Bench) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)

        ((name, sealed),) = bench.rows("SELECT name, sealed FROM source_keys")
        assert name == "GAMMA_KEY"
        assert OLD.encode() not in bytes(sealed)
        assert bytes(sealed).startswith(b"gAAAA")

    def test_the_environment_is_the_fall_back(self, empty: Empty, gate: Gate, master: str) -> None:
        environ = {"LINERNOTES_SECRET_KEYS": master, "GAMMA_KEY": OLD}
        made = a_bench(empty, gate, (Gamma(),), environ)  # type: ignore[arg-type]  # another upstream
        fleet = made.fleet
        assert fleet.wire.place("gamma").secrets == {"GAMMA_KEY": OLD}

        keys.put(fleet, "GAMMA_KEY", NEW)
        fleet.standings()
        assert fleet.wire.place("gamma").secrets == {"GAMMA_KEY": NEW}

        assert keys.remove(fleet, "GAMMA_KEY")
        assert not keys.remove(fleet, "GAMMA_KEY")
        fleet.standings()
        assert fleet.wire.place("gamma").secrets == {"GAMMA_KEY": OLD}
        made.close()

    @pytest.mark.parametrize("value", ["", " \n", "two words", "tab\tbed", "schlüssel", "x" * 1001, "a\x00b", "a\nb"])
    def test_what_can_be_no_key(self, bench: Bench, value: str) -> None:
        with pytest.raises(BadRequest, match="one word") as refused:
            keys.put(bench.fleet, "GAMMA_KEY", value)
        assert not value.strip() or value not in str(refused.value)

    def test_a_name_that_no_source_knows(self, bench: Bench) -> None:
        for act in (lambda: keys.put(bench.fleet, "X", OLD), lambda: keys.remove(bench.fleet, "X")):
            with pytest.raises(BadRequest, match="DELTA_ID, DELTA_SECRET, GAMMA_KEY"):
                act()

    def test_without_a_master_key_nothing_is_stored(self, empty: Empty, gate: Gate) -> None:
        made = a_bench(empty, gate, (Gamma(),))  # type: ignore[arg-type]  # another upstream
        with pytest.raises(BadRequest, match="LINERNOTES_SECRET_KEYS is not set"):
            keys.put(made.fleet, "GAMMA_KEY", OLD)
        assert not made.rows("SELECT FROM source_keys")
        made.close()


class TestGone:
    def test_what_waited_for_a_key_is_put_aside_and_taken_up(self, bench: Bench) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        track = bench.track()
        assert ("gamma.locked", "waiting", None) in bench.lookups(track)

        keys.remove(bench.fleet, "GAMMA_KEY")
        bench.settle_down()
        assert ("gamma.locked", "deferred", None) in bench.lookups(track)
        assert (bench.status(track).status, bench.status(track).is_retriable) == ("partial", True)
        assert bench.letters() == []

        keys.put(bench.fleet, "GAMMA_KEY", NEW)
        bench.settle_down()
        bench.settle_down()
        assert ("gamma.locked", "ended", "found") in bench.lookups(track)
        assert bench.status(track).status == "completed"

    def test_a_claim_of_one_who_knows_before_the_steward_is_put_aside(self, bench: Bench) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        track = bench.track()
        bench.run("DELETE FROM lookups WHERE question = 'open'")
        keys.remove(bench.fleet, "GAMMA_KEY")
        bench.fleet.standings()

        bench.fleet.send_fetch = None
        bench.drain()

        assert ("gamma.locked", "deferred", None) in bench.lookups(track)
        assert bench.letters() == []

    def test_a_refusal_of_a_key_that_was_replaced_meanwhile_stops_nothing(self, bench: Bench, gate: Gate) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        track = bench.track()
        gate.opens = {NEW}
        # Another process stores it; this one has read the old one a moment ago.
        sealed = bench.fleet.keys.seal.close("GAMMA_KEY", NEW)
        bench.fleet.standings()
        bench.run("UPDATE source_keys SET sealed = :sealed", sealed=sealed)

        bench.drain()

        assert not bench.fleet.standings()["gamma"].stopped
        assert ("gamma.locked", "not_due", "over_budget") in bench.lookups(track)
        bench.make_due()
        bench.settle_down()
        assert ("gamma.locked", "ended", "found") in bench.lookups(track)

    def test_one_that_is_refused_stops_its_source(self, bench: Bench, gate: Gate) -> None:
        gate.opens = set()
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        bench.track()
        bench.settle_down()

        assert bench.fleet.standings()["gamma"].stopped
        kept = bench.rows("SELECT d::text FROM dead_letters d") + bench.rows("SELECT s::text FROM source_states s")
        assert kept
        assert OLD not in str(kept)
        assert "~GAMMA_KEY~ opens nothing" in str(kept)


class TestTried:
    def test_it_opens(self, bench: Bench, gate: Gate) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)

        assert keys.test(bench.fleet, "GAMMA_KEY") == [keys.Tried("gamma", opens=True, said="it has answered")]
        keys.test(bench.fleet, "GAMMA_KEY")

        assert gate.seen == [("locked", OLD, OLD)] * 2, "past the cache"

    def test_it_does_not_and_stops_nothing(self, bench: Bench, gate: Gate) -> None:
        gate.opens = set()
        keys.put(bench.fleet, "GAMMA_KEY", OLD)

        (tried,) = keys.test(bench.fleet, "GAMMA_KEY")

        assert (tried.opens, tried.said) == (False, "HTTP 403: ~GAMMA_KEY~ opens nothing")
        assert not bench.fleet.standings()["gamma"].stopped

    def test_it_cannot_be_tried(self, bench: Bench, gate: Gate) -> None:
        assert keys.test(bench.fleet, "GAMMA_KEY") == [keys.Tried("gamma", None, "GAMMA_KEY is not set")]
        keys.put(bench.fleet, "DELTA_ID", OLD)
        assert keys.test(bench.fleet, "DELTA_ID") == [keys.Tried("delta", None, "needs DELTA_SECRET too")]
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        standing.pause(bench.fleet, "gamma", 600, "they asked us to", ours=False)
        (tried,) = keys.test(bench.fleet, "GAMMA_KEY")
        assert tried.opens is None
        assert "they asked us to" in tried.said
        assert gate.seen == []


class TestListed:
    def test_where_each_is_from(self, empty: Empty, gate: Gate, master: str) -> None:
        environ = {"LINERNOTES_SECRET_KEYS": master, "DELTA_ID": "tiny", "DELTA_SECRET": "an-environments-0987"}
        made = a_bench(empty, gate, (Gamma(), Delta()), environ)  # type: ignore[arg-type]  # another upstream
        keys.put(made.fleet, "GAMMA_KEY", "a-stored-one-1234")

        found = {each["name"]: each for each in keys.listed(made.fleet)}

        shown = {name: (each["from"], each["ending"], each["problem"]) for name, each in found.items()}
        assert shown == {
            "DELTA_ID": ("environment", None, None),
            "DELTA_SECRET": ("environment", "0987", None),
            "GAMMA_KEY": ("database", "1234", None),
        }
        assert found["GAMMA_KEY"]["sources"] == ["gamma"]
        assert "a-stored" not in repr(found)
        made.close()

    def test_one_that_cannot_be_opened(self, bench: Bench) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        bench.fleet.keys.seal = Seal(new_master())

        (found,) = [each for each in keys.listed(bench.fleet) if each["name"] == "GAMMA_KEY"]
        assert (found["from"], found["ending"]) == ("database", None)
        assert "master key" in found["problem"]
        with pytest.raises(BadRequest, match="master key"):
            keys.rotate(bench.fleet)


class TestMasterKeys:
    def test_rotating_makes_the_old_one_needless(self, bench: Bench, master: str) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        keys.put(bench.fleet, "DELTA_ID", NEW)
        newer = new_master()
        bench.fleet.keys.seal = Seal(f"{newer}, {master}")

        assert keys.rotate(bench.fleet) == 2

        stored = {name: bytes(sealed) for name, sealed in bench.rows("SELECT name, sealed FROM source_keys")}
        assert Seal(newer).open("GAMMA_KEY", stored["GAMMA_KEY"]) == OLD
        assert Seal(newer).open("DELTA_ID", stored["DELTA_ID"]) == NEW
        with pytest.raises(CannotOpen):
            Seal(master).open("GAMMA_KEY", stored["GAMMA_KEY"])

    def test_a_process_that_lacks_it_goes_on_with_what_it_has(self, bench: Bench, master: str) -> None:
        keys.put(bench.fleet, "GAMMA_KEY", OLD)
        own = Keys(Seal(master), {"DELTA_ID": "d"})
        with bench.fleet.engine.connect() as connection:
            assert own.read(connection) == {"DELTA_ID": "d", "GAMMA_KEY": OLD}
        bench.fleet.keys.seal = Seal(f"{new_master()} {master}")
        keys.rotate(bench.fleet)
        keys.put(bench.fleet, "DELTA_SECRET", NEW)

        with bench.fleet.engine.connect() as connection, capture_logs() as logs:
            for _ in range(3):
                assert own.read(connection) == {"DELTA_ID": "d", "GAMMA_KEY": OLD}
        assert len(logs) == 2, "each is told once"
        assert OLD not in str(logs)

    def test_a_file_is_read_anew(self, tmp_path: Path, master: str) -> None:
        path = tmp_path / "masters"
        seal = Seal(str(path))
        with pytest.raises(OSError, match="masters"):
            seal.close("A", "a")
        path.write_text(f"{master}\n")
        sealed = seal.close("A", "a")
        path.write_text(f"{new_master()}\n{master}\n")
        assert seal.open("A", sealed) == "a"
        path.write_text(new_master())
        with pytest.raises(CannotOpen):
            seal.open("A", sealed)
        path.write_text("\n")
        with pytest.raises(CannotOpen, match="is not set"):
            seal.open("A", sealed)

    def test_one_key_cannot_be_put_in_the_place_of_another(self, bench: Bench, master: str) -> None:
        keys.put(bench.fleet, "DELTA_SECRET", OLD)
        with bench.fleet.engine.begin() as connection:
            connection.execute(text("UPDATE source_keys SET name = 'GAMMA_KEY'"))

        bench.fleet.standings()

        assert bench.fleet.wire.place("gamma").secrets == {}
        with pytest.raises(CannotOpen, match="another key"):
            Seal(master).open("B", Seal(master).close("A", "a"))

    @pytest.mark.parametrize("given", ["short", "x" * 44, "ü" * 44, f"{'x' * 43}=,plain-secret"])
    def test_what_is_no_master_key_is_told_without_showing_it(self, empty: Empty, gate: Gate, given: str) -> None:
        with pytest.raises(ValueError, match="LINERNOTES_SECRET_KEYS: a master key is 32 bytes") as told:
            a_bench(empty, gate, (Gamma(),), {"LINERNOTES_SECRET_KEYS": given})  # type: ignore[arg-type]  # another upstream
        assert given[-12:] not in str(told.value)
        assert told.value.__cause__ is None
        assert told.value.__suppress_context__
