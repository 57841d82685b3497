"""Chances that were learnt, and what the selector makes of them."""

from __future__ import annotations

from enrichment.domain.planning import Situation, Steps, plan
from enrichment.domain.predicting import Model, features
from enrichment.domain.questions import Question
from enrichment.domain.subjects import Kind, Lane

SEARCH = Question("search", Kind.PERFORMER, ("name",), frozenset({"genres", "country"}), identifies="deezer_id")
STEPS = Steps([("deezer", SEARCH)])


def test_features_are_words() -> None:
    values = {
        "name": "…Кино",
        "title": "Группа крови (Live)",
        "release_date": "1988-05",
        "popularity": 47,
        "genres": ["rock", "post-punk", "new wave", "pop"],
        "country_code": "RU",
        "isrc": "SUB258800001",
    }
    told = {"script:cyrillic", "version", "decade:1980", "popularity:40", "country:RU", "has:isrc"}
    genres = {"genre:rock", "genre:post-punk", "genre:new wave"}

    assert features(values, ["deezer.search"], ["spotify.search"]) == {
        *told,
        *genres,
        "found:deezer.search",
        "missed:spotify.search",
    }
    assert features({"name": "!!!"}, [], []) == {"script:none"}


def test_a_chance_is_a_share() -> None:
    model = Model(0.0, {"script:latin": 2.0, "script:cyrillic": -9.0})

    assert model.chance(["script:latin", "never seen"]) == 0.9
    assert model.chance(["script:cyrillic"]) == 0.0
    assert Model(1e9, {}).chance([]) == 1.0


def test_what_is_unlikely_is_not_asked_in_low_priority() -> None:
    (step,) = STEPS.of(Kind.PERFORMER)

    def asked(chance: float | None) -> bool:
        learnt = frozenset({(step, chance)} if chance is not None else ())
        known, wanted = frozenset({"name"}), frozenset({"genres", "country"})
        situation = Situation(Kind.PERFORMER, Lane.LOW_PRIORITY, known, frozenset(), wanted, learnt=learnt)
        return plan(STEPS.of(Kind.PERFORMER), situation).steps == (step,)

    assert [asked(chance) for chance in (None, 0.3, 0.05, 0.0)] == [True, True, False, False]
