"""What sources leave open comes to a person, whose word stands for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import create_engine

from enrichment.domain.matching import Performer
from enrichment.domain.outcomes import Answer
from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind
from enrichment.reservoir import subjects as rows
from enrichment.services import audit, reviews
from enrichment.services.report import subject_report
from enrichment.services.requests import BadRequest, PerformerRequest, Unknown, read
from enrichment.services.reviews import Decision
from enrichment.services.submit import submit
from enrichment.sources.base import Ask, Line
from enrichment.sources.reading import Told, pick_performer
from tests.conftest import Empty
from tests.services.fakes import Alpha, Bench, Fake, Upstream, a_bench, names
from tests.support import eventually

ANNA, BEN = "anna", "ben"


class Deezer(Fake):
    """Performers by name, of whom there may be several, and by id."""

    name = "deezer"
    questions = (
        Question(
            "artist_search",
            Kind.PERFORMER,
            ("name",),
            names("deezer_id", "image_url", "external_urls"),
            uses=("titles", "labels", "companions"),
            identifies="deezer_id",
        ),
        Question("artist", Kind.PERFORMER, ("deezer_id",), names("followers", "genres")),
    )

    def ask(self, question: Question, asks: Sequence[Ask], client: Line) -> Sequence[Answer]:
        if question.name == "artist":
            return super().ask(question, asks, client)
        (hits,) = self._replies(question, asks, client)
        keys = asks[0].keys

        def tell(index: int, match: float, reason: str) -> Told:
            told = Told(Kind.PERFORMER, keys, {"": 0.9}, match=match, reason=reason)
            told.tell(**hits[index])
            return told

        found = [Performer("Sasha", hit["deezer_id"]) for hit in hits or ()]
        return [pick_performer(keys, found, tell)]


def hit(id_: str) -> dict[str, Any]:
    return {
        "deezer_id": id_,
        "image_url": f"http://pictures.test/{id_}.jpg",
        "external_urls": {"deezer": f"http://deezer.test/{id_}"},
    }


@pytest.fixture
def upstream() -> Upstream:
    """It knows two of the name Sasha, and nothing else but what Deezer has under an id."""
    return Upstream({"artist_search": [hit(ANNA), hit(BEN)], "artist": {"followers": 9, "genres": ["house"]}})


@pytest.fixture
def bench(empty: Empty, upstream: Upstream) -> Iterator[Bench]:
    made = a_bench(empty, upstream, [Alpha(), Deezer()])
    yield made
    made.close()


def performer(bench: Bench, name: str = "Sasha", *, force: bool = False) -> str:
    ref = submit(bench.fleet, read(PerformerRequest, {"name": name, "force_refresh": force}))
    bench.settle_down()
    return str(ref.id)


def record(bench: Bench, id_: str) -> dict[str, Any]:
    found = subject_report(bench.fleet, Kind.PERFORMER, id_)
    assert found is not None
    return found


def the_review(bench: Bench, state: str = "open") -> dict[str, Any]:
    (found,) = reviews.listed(bench.fleet, state=state)
    return reviews.shown(bench.fleet, found["id"])


class TestNamesakes:
    def test_they_come_to_a_person_with_all_that_is_known_of_them(self, bench: Bench, upstream: Upstream) -> None:
        bench.track("Xpander", "Sasha")
        bench.run("INSERT INTO performers (name) VALUES ('John Digweed')")
        bench.run("INSERT INTO events (external_id, title) VALUES ('e', 'Northern Exposure')")
        bench.run(
            "INSERT INTO event_performers (event_id, performer_id, position)"
            " SELECT e.id, p.id, 1 FROM events e, performers p"
        )
        bench.run("UPDATE tracks SET label = 'Deconstruction'")

        sasha = performer(bench)

        (asked,) = [asks[0] for question, asks in upstream.asked if question == "artist_search"]
        assert asked == {
            "name": "Sasha",
            "titles": ["Xpander"],
            "labels": ["Deconstruction"],
            "companions": ["John Digweed"],
        }
        review = the_review(bench)
        assert (review["subject_id"], review["name"], review["doubt"], review["fields"], review["reason"]) == (
            sasha,
            "Sasha",
            "namesakes",
            ["deezer_id"],
            "2 performers of this name",
        )
        assert [(c["id"], c["score"], c["picture"], c["links"]) for c in review["candidates"]] == [
            (id_, 0.941, f"http://pictures.test/{id_}.jpg", {"deezer": f"http://deezer.test/{id_}"})
            for id_ in (ANNA, BEN)
        ]
        told = record(bench, sasha)
        assert "deezer_id" not in told["fields"]
        assert [each["id"] for each in told["reviews"]] == [review["id"]]

    def test_asking_again_joins_the_review(self, bench: Bench, upstream: Upstream) -> None:
        performer(bench)
        upstream.answers["artist_search"].append(hit("carl"))
        bench.forget_replies()
        first = the_review(bench)

        performer(bench, force=True)

        again = the_review(bench)
        assert (again["id"], len(first["candidates"]), len(again["candidates"])) == (first["id"], 2, 3)

    def test_the_chosen_one_is_taken_for_good(self, bench: Bench, upstream: Upstream) -> None:
        sasha = performer(bench)
        review = the_review(bench)

        decided = reviews.decide(bench.fleet, review["id"], Decision.CHOOSE, who="Jo", candidate=BEN)

        assert (decided["state"], decided["decision"], decided["chosen"], decided["decided_by"]) == (
            "decided",
            "chosen",
            BEN,
            "Jo",
        )
        bench.settle_down()
        assert upstream.questions()[-1] == "artist"  # the new identifier leads on
        told = record(bench, sasha)
        assert told["fields"]["deezer_id"] == BEN
        assert told["fields"]["image_url"] == hit(BEN)["image_url"]
        assert told["fields"]["followers"] == 9
        assert told["merged"]["deezer_id"] == {
            "source": "person",
            "confidence": 1.0,
            "reason": "locked by a person",
            "locked": True,
        }
        entry = audit.entries(bench.fleet, target=str(review["id"]))[0]
        assert (entry["who"], entry["action"], entry["outcome"]) == ("Jo", "decide review", "done")

        upstream.answers["track"] = {"performer.deezer_id": ANNA, "performer.image_url": "http://wrong.test/", "bpm": 1}
        bench.track("Xpander", "Sasha")
        bench.settle_down()

        told = record(bench, sasha)
        assert (told["fields"]["deezer_id"], told["fields"]["image_url"]) == (BEN, hit(BEN)["image_url"])
        assert "http://wrong.test/" not in str(told)
        assert reviews.listed(bench.fleet) == []

    def test_a_decision_is_one_however_often_and_by_whomever_it_is_made(self, bench: Bench) -> None:
        performer(bench)
        number = the_review(bench)["id"]
        for candidate, value in ((None, None), ("carl", None), (BEN, "x")):
            with pytest.raises(BadRequest, match=r"candidate|value"):
                reviews.decide(bench.fleet, number, Decision.CHOOSE, who="Jo", candidate=candidate, value=value)
        with pytest.raises(BadRequest, match="deezer_id has none yet"):
            reviews.decide(bench.fleet, number, Decision.LOCK, who="Jo")

        for _ in range(2):
            reviews.decide(bench.fleet, number, Decision.CHOOSE, who="Jo", candidate=BEN)

        with pytest.raises(BadRequest, match="was decided by Jo: chosen"):
            reviews.decide(bench.fleet, number, Decision.NONE, who="Al")
        with pytest.raises(Unknown, match="no review 4711"):
            reviews.decide(bench.fleet, 4711, Decision.NONE, who="Al")
        assert audit.entries(bench.fleet, target=str(number))[0]["outcome"].startswith("Conflict: review")

    def test_none_of_them_is_never_taken_nor_asked_about_again(self, bench: Bench, upstream: Upstream) -> None:
        upstream.answers["track"] = {"performer.image_url": "http://fan.test/", "bpm": 1.0}
        bench.track("Xpander", "Sasha")
        sasha = performer(bench)
        bench.run(  # what was found before the person spoke
            "INSERT INTO findings (kind, subject_id, field, source, value, confidence, stated_at, lookup_id)"
            " SELECT 'performer', id, field, 'other', to_jsonb(value), 0.2, now(), 99 FROM performers,"
            " (VALUES ('deezer_id', 'ben'), ('country', 'Atlantis')) AS f(field, value)"
        )
        review = the_review(bench)

        reviews.decide(bench.fleet, review["id"], Decision.NONE, who="Jo")
        upstream.answers["track"] = {"performer.deezer_id": ANNA, "performer.image_url": "http://wrong.test/", "bpm": 2}
        bench.track("Airdrawndagger", "Sasha")
        bench.forget_replies()
        performer(bench, force=True)

        told = record(bench, sasha)
        assert told["fields"]["image_url"] == "http://fan.test/"
        assert {"deezer_id", "country"}.isdisjoint(told["fields"])
        assert {each["source"] for each in told["findings"]} == {"alpha"}
        assert the_review(bench, "decided")["decided_at"] is not None

        upstream.answers["artist_search"].append(hit("carl"))
        bench.forget_replies()
        performer(bench, force=True)

        assert the_review(bench)["id"] == review["id"]  # nobody has judged the third one

        upstream.answers["track"] = {"performer.deezer_id": "carl", "bpm": 3.0}
        bench.track("Wavy Gravy", "Sasha")
        bench.settle_down()

        assert the_review(bench, "decided")["decision"] == "none"

    def test_what_is_found_otherwise_needs_nobody(self, bench: Bench, upstream: Upstream) -> None:
        performer(bench)
        the_review(bench)
        upstream.answers["track"] = {"performer.deezer_id": ANNA, "bpm": 1.0}

        bench.track("Xpander", "Sasha")
        bench.settle_down()

        assert reviews.listed(bench.fleet) == []

    def test_a_person_may_know_better_than_all_candidates(self, bench: Bench, upstream: Upstream) -> None:
        sasha = performer(bench)

        reviews.decide(bench.fleet, the_review(bench)["id"], Decision.LOCK, who="Jo", value="dora")
        bench.settle_down()

        assert record(bench, sasha)["fields"]["deezer_id"] == "dora"
        assert upstream.asked[-1] == ("artist", [{"deezer_id": "dora"}])


class TestSharedIdentifiers:
    @pytest.fixture
    def upstream(self) -> Upstream:
        """It says the same of everybody."""
        return Upstream({"performer": {"musicbrainz_id": "m-1", "country": "GB"}})

    def test_one_on_two_performers_is_seen(self, bench: Bench) -> None:
        first, second = performer(bench, "Sasha"), performer(bench, "Alexander")

        review = the_review(bench)
        assert (review["doubt"], review["source"], review["question"], review["subject_id"]) == (
            "shared_id",
            "musicbrainz",
            "musicbrainz_id",
            first,
        )
        assert {each["id"] for each in review["candidates"]} == {first, second}

        reviews.decide(bench.fleet, review["id"], Decision.CHOOSE, who="Jo", candidate=second)
        bench.forget_replies()
        performer(bench, "Sasha", force=True)

        assert "musicbrainz_id" not in record(bench, first)["fields"]
        assert record(bench, second)["fields"]["musicbrainz_id"] == "m-1"
        assert reviews.listed(bench.fleet) == []

        third = performer(bench, "Xander")

        assert {each["id"] for each in the_review(bench)["candidates"]} == {second, third}

    def test_both_may_keep_it(self, bench: Bench) -> None:
        both = {performer(bench, "Sasha"), performer(bench, "Alexander")}

        reviews.decide(bench.fleet, the_review(bench)["id"], Decision.LOCK, who="Jo")

        assert all(record(bench, each)["merged"]["musicbrainz_id"]["locked"] for each in both)

    def test_of_two_settles_at_once_the_later_one_sees_it(self, bench: Bench, empty: Empty) -> None:
        other = create_engine(empty.database_url)
        with other.begin() as earlier:
            rows.lock_names(earlier, ["musicbrainz_id m-1"])
            earlier.exec_driver_sql("INSERT INTO performers (name, musicbrainz_id) VALUES ('Alexander', 'm-1')")
            settling = threading.Thread(target=performer, args=(bench,))
            settling.start()
            with other.connect() as looking:
                waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                eventually(lambda: looking.exec_driver_sql(waiting).all(), 10, "the later one waits")
        settling.join()
        other.dispose()

        assert the_review(bench)["reason"] == "2 performers have the musicbrainz_id m-1"


class TestLocks:
    @pytest.fixture
    def upstream(self) -> Upstream:
        return Upstream({"track": {"isrc": "GBAAA9800322", "bpm": 78.0}, "performer": {"country": "GB"}})

    def test_a_locked_field_wins_until_it_is_unlocked(self, bench: Bench, upstream: Upstream) -> None:
        bench.track(track_id="4711")
        bench.settle_down()

        locked = reviews.lock(bench.fleet, Kind.TRACK, "4711", "bpm", who="Jo", value="156")

        assert locked == {"kind": "track", "id": "4711", "field": "bpm", "value": 156.0, "locked_by": "Jo"}
        upstream.answers["track"]["bpm"] = 80.0
        bench.forget_replies()
        bench.track(track_id="4711", force_refresh=True)
        bench.settle_down()
        told = subject_report(bench.fleet, Kind.TRACK, "4711")
        assert told is not None
        assert told["fields"]["bpm"] == 156.0
        assert {(s["value"], s["reason"]) for s in told["findings"] if s["field"] == "bpm"} == {
            (156.0, "locked by Jo"),
            (80.0, "the fake said so"),
        }

        assert reviews.unlock(bench.fleet, Kind.TRACK, "4711", "bpm", who="Jo")
        assert not reviews.unlock(bench.fleet, Kind.TRACK, "4711", "bpm", who="Jo")

        told = subject_report(bench.fleet, Kind.TRACK, "4711")
        assert told is not None
        assert told["fields"]["bpm"] == 80.0
        assert "person" not in {each["source"] for each in told["findings"]}

    def test_the_present_value_can_be_locked_and_a_list_given_as_json(self, bench: Bench) -> None:
        bench.track(track_id="4711")
        bench.settle_down()
        lock = reviews.lock
        assert lock(bench.fleet, Kind.TRACK, "4711", "isrc", who="Jo")["value"] == "GBAAA9800322"
        assert lock(bench.fleet, Kind.TRACK, "4711", "genres", who="Jo", value='["trip hop"]')["value"] == ["trip hop"]

    def test_what_cannot_be_locked_is_told(self, bench: Bench) -> None:
        bench.track(track_id="4711")
        for id_, field, value, said in (
            ("4711", "title", "Angel", "the producer's"),
            ("4711", "mood", "dark", "'mood' is no field of a track"),
            ("4711", "bpm", "fast", "bpm takes a value of type float"),
            ("4711", "label", None, "label has none yet"),
            ("4712", "bpm", 90, "'4712' is not known"),
        ):
            with pytest.raises(BadRequest if id_ == "4711" else Unknown, match=said):
                reviews.lock(bench.fleet, Kind.TRACK, id_, field, who="Jo", value=value)
