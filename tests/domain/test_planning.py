"""plan(): tables of situations, and what holds of all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrichment.domain.planning import (
    Plan,
    Situation,
    Step,
    Steps,
    plan,
    prefixed,
    strategy_of,
    useful_steps,
)
from enrichment.domain.questions import Question
from enrichment.domain.selecting import NEXT_TO_NOTHING
from enrichment.domain.subjects import INHERITED, Kind, Lane

TRACK, PERFORMER, ALBUM = Kind.TRACK, Kind.PERFORMER, Kind.ALBUM


def asks(name: str, kind: Kind, needs: str, gives: str, **more: Any) -> tuple[str, Question]:
    """name: "source.question"."""
    source, _, question = name.partition(".")
    return source, Question(question, kind, tuple(needs.split()), frozenset(gives.split()), **more)


STEPS = Steps(
    [
        asks("bulk.track", TRACK, "artist_name title", "isrc musicbrainz_id", batch=100),
        asks("bulk.details", TRACK, "musicbrainz_id", "release_date performer.musicbrainz_id", batch=100),
        asks("dear.by_isrc", TRACK, "isrc", "bpm key popularity"),
        asks("dear.search", TRACK, "artist_name title", "bpm key popularity", calls=2),
        asks("other.search", TRACK, "artist_name title", "isrc bpm other_id", identifies="other_id"),
        asks("bulk.performer", PERFORMER, "musicbrainz_id", "genres", batch=50),
        asks("other.performer", PERFORMER, "name", "genres country"),
        asks("covers.album", ALBUM, "musicbrainz_release_id", "cover_art_url"),
        asks("bulk.album", ALBUM, "artist_name title", "musicbrainz_release_id label"),
        asks("pictures.download", ALBUM, "cover_art_url", "artwork", blocking=False),
    ]
)

NAMES = "artist_name title performer.name"
WITH_ALBUM = f"{NAMES} album.artist_name album.title"


def step(name: str, kind: Kind = TRACK) -> Step:
    """name: "source.question", or "performer:source.question" for one about the performer."""
    about, _, rest = name.rpartition(":")
    source, _, question = rest.partition(".")
    found = STEPS.named(kind, source, question, Kind(about) if about else None)
    assert found is not None, name
    return found


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def some_steps(text: str) -> frozenset[Step]:
    return frozenset(step(name) for name in text.split())


def situation(wanted: str, lane: Lane = Lane.DEFAULT, known: str = NAMES, **more: str) -> Situation:
    return Situation(
        TRACK,
        lane,
        words(known),
        words(more.get("satisfied", "")),
        words(wanted),
        some_steps(more.get("open", "")),
        some_steps(more.get("spent", "")),
        words(more.get("away", "")),
    )


def names(steps: tuple[Step, ...]) -> set[str]:
    return {f"{s.about}:{s.source}.{s.question.name}" if s.about else f"{s.source}.{s.question.name}" for s in steps}


def planned(where: Situation) -> Plan:
    return plan(STEPS.of(TRACK), where)


CASES: list[tuple[str, Situation, str]] = [
    ("nothing is wanted", situation(""), ""),
    ("the waterfall stops", situation("bpm isrc", satisfied="bpm isrc"), ""),
    ("nobody can give it", situation("lastfm_url"), ""),
    ("the cheapest way to each field", situation("isrc release_date"), "bulk.track"),
    ("by an id that is known rather than by name", situation("bpm", known=f"{NAMES} isrc"), "dear.by_isrc"),
    ("a cheap step first towards a dear one", situation("key"), "bulk.track"),
    ("stale though known: it is asked again", situation("isrc", known=f"{NAMES} isrc"), "bulk.track"),
    ("an open question is waited for", situation("isrc key", open="bulk.track"), ""),
    (
        "what an open one cannot give is asked meanwhile",
        situation("isrc country genres", open="bulk.track", known=f"{NAMES} performer.musicbrainz_id"),
        "performer:bulk.performer",
    ),
    ("spent ones are not repeated", situation("isrc", spent="bulk.track"), "other.search"),
    ("until none is left", situation("isrc", spent="bulk.track other.search"), ""),
    (
        "a search for what is identified has nothing to find",
        situation("isrc", spent="bulk.track", known=f"{NAMES} other_id"),
        "",
    ),
    ("three cheap steps rather than a dear one", situation("genres"), "bulk.track"),
    (
        "the performer's question for a field of the track",
        situation("genres", spent="bulk.track"),
        "performer:other.performer",
    ),
    (
        "or by the performer's id",
        situation("genres", known=f"{NAMES} performer.musicbrainz_id"),
        "performer:bulk.performer",
    ),
    ("the album's question, in two steps", situation("artwork_url", known=WITH_ALBUM), "album:bulk.album"),
    (
        "the second of them",
        situation("artwork_url", known=f"{WITH_ALBUM} album.musicbrainz_release_id"),
        "album:covers.album",
    ),
    ("without an album there is none to ask about", situation("artwork_url label"), ""),
    (
        "artwork in parallel",
        situation("isrc artwork_url", known=WITH_ALBUM),
        "bulk.track album:bulk.album",
    ),
    ("low: only the cheapest", situation("isrc genres", Lane.LOW_PRIORITY), "bulk.track"),
    ("low: and nothing while one is open", situation("isrc genres", Lane.LOW_PRIORITY, open="bulk.track"), ""),
    (
        "low: then the next",
        situation("isrc genres", Lane.LOW_PRIORITY, known=f"{NAMES} isrc", satisfied="isrc", spent="bulk.track"),
        "performer:other.performer",
    ),
    (
        "low: what costs next to nothing and tells something else comes along",
        situation("isrc genres bpm", Lane.LOW_PRIORITY, known=f"{NAMES} performer.musicbrainz_id"),
        "bulk.track performer:bulk.performer",
    ),
    (
        "low: and what follows from what is known",
        situation("isrc release_date", Lane.LOW_PRIORITY, known=f"{NAMES} musicbrainz_id"),
        "bulk.track bulk.details",
    ),
    ("critical: every source at once", situation("bpm", Lane.CRITICAL), "bulk.track dear.search other.search"),
    (
        "critical: by id rather than by name",
        situation("bpm", Lane.CRITICAL, known=f"{NAMES} isrc"),
        "dear.by_isrc other.search",
    ),
    (
        "critical: not the same source twice at once",
        situation("bpm", Lane.CRITICAL, known=f"{NAMES} isrc", open="dear.search other.search"),
        "",
    ),
    ("critical: stops too", situation("bpm", Lane.CRITICAL, satisfied="bpm"), ""),
    ("a source that is away is gone round", situation("isrc", away="bulk"), "other.search"),
]


@pytest.mark.parametrize(("where", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_plan(where: Situation, expected: str) -> None:
    assert names(planned(where).steps) == set(expected.split())


DEFERRED: list[tuple[str, Situation, str]] = [
    ("only there", situation("release_date", away="bulk"), "bulk.track"),
    ("elsewhere too", situation("isrc", away="bulk"), ""),
    ("all are away", situation("isrc", away="bulk other"), "bulk.track"),
    ("nothing is away", situation("release_date"), ""),
    ("put aside already", situation("release_date", away="bulk", spent="bulk.track"), ""),
    ("the field is there", situation("release_date", away="bulk", satisfied="release_date"), ""),
    ("a source nobody needs", situation("isrc", away="covers"), ""),
]


@pytest.mark.parametrize(("where", "expected"), [case[1:] for case in DEFERRED], ids=[case[0] for case in DEFERRED])
def test_deferred_where_only_sources_away_can_give_it(where: Situation, expected: str) -> None:
    assert names(planned(where).deferred) == set(expected.split())


def test_what_nobody_waits_for_is_not_planned() -> None:
    assert not [s for kind in Kind for s in STEPS.of(kind) if not s.question.blocking]


def test_a_kind_is_asked_its_own_questions_and_its_parents() -> None:
    assert {(s.about, s.question.kind) for s in STEPS.of(TRACK)} == {
        (None, TRACK),
        (PERFORMER, PERFORMER),
        (ALBUM, ALBUM),
    }
    assert {s.about for s in STEPS.of(PERFORMER)} == {None}
    assert STEPS.named(TRACK, "bulk", "former") is None


def test_prefixes() -> None:
    assert prefixed(None, "label") == "label"
    assert prefixed(ALBUM, "label") == "album.label"
    assert prefixed(ALBUM, "performer.genres") == "performer.genres"


def test_a_refresh_in_the_background_saves_calls() -> None:
    assert {strategy_of(lane, background=True) for lane in Lane} == {Lane.LOW_PRIORITY}
    assert strategy_of(Lane.CRITICAL, background=False) is Lane.CRITICAL


FIELDS = st.sampled_from(["a", "b", "c", "d", "genres", "label", "artwork_url", "cover_art_url"])
QUESTIONS = st.lists(
    st.tuples(
        st.sampled_from(["s", "t", "u"]),
        st.builds(
            Question,
            name=st.sampled_from(["p", "q", "r"]),
            kind=st.sampled_from(Kind),
            needs=st.lists(FIELDS, max_size=2, unique=True).map(tuple),
            gives=st.frozensets(FIELDS, min_size=1, max_size=4),
            identifies=st.sampled_from(["", "", "d"]),
            batch=st.sampled_from([1, 2, 50]),
        ),
    ),
    max_size=9,
    unique_by=lambda pair: (pair[0], pair[1].name, pair[1].kind),
)
GRAPH = FIELDS | FIELDS.map(lambda name: f"album.{name}") | FIELDS.map(lambda name: f"performer.{name}")


COVERS = Steps(
    [
        asks("first.track", TRACK, "artist_name title", "artwork_url isrc"),
        asks("first.album", ALBUM, "artist_name title", "cover_art_url"),
        asks("second.track", TRACK, "artist_name title", "album.cover_art_url", calls=3),
        asks("covers.album", ALBUM, "musicbrainz_release_id", "cover_art_url"),
        asks("bulk.album", ALBUM, "artist_name title", "musicbrainz_release_id label"),
        asks("third.track", TRACK, "artist_name title", "label"),
    ]
)


@pytest.mark.parametrize(
    ("satisfied", "opened", "expected"),
    [
        ("", "", {"first.track", "second.track", "album:bulk.album"}),
        ("artwork_url", "", {"first.track", "second.track", "album:bulk.album"}),
        ("artwork_url", "second.track", {"album:first.album", "album:bulk.album"}),
    ],
)
def test_wanted_at_once_it_is_asked_of_every_source(satisfied: str, opened: str, expected: set[str]) -> None:
    where = replace(
        situation("artwork_url", known=WITH_ALBUM, satisfied=satisfied),
        at_once=words("artwork_url"),
        open=frozenset(each for each in COVERS.of(TRACK) if names((each,)) == {opened}),
    )
    assert names(plan(COVERS.of(TRACK), where).steps) == expected
    with_release = replace(where, known=where.known | {"album.musicbrainz_release_id"})
    assert "album:covers.album" in names(plan(COVERS.of(TRACK), with_release).steps)


def test_what_an_album_says_is_no_key_of_its_track() -> None:
    steps = Steps(
        [
            asks("by.label", TRACK, "label", "bpm"),
            asks("own.label", TRACK, "artist_name title", "label", calls=5),
            asks("albums.label", ALBUM, "artist_name title", "label"),
        ]
    )
    assert names(plan(steps.of(TRACK), situation("bpm", known=WITH_ALBUM)).steps) == {"own.label"}


@st.composite
def situations(draw: st.DrawFn) -> tuple[tuple[Step, ...], Situation]:
    """A kind's steps, and a situation among them."""
    steps = Steps(draw(QUESTIONS)).of(TRACK)
    some = st.frozensets(st.sampled_from(steps), max_size=3) if steps else st.just(frozenset())
    spent = draw(some)
    return steps, Situation(
        TRACK,
        draw(st.sampled_from(Lane)),
        draw(st.frozensets(GRAPH, max_size=4)),
        draw(st.frozensets(FIELDS, max_size=2)),
        draw(st.frozensets(FIELDS, max_size=4)),
        draw(some) - spent,
        spent,
        draw(st.frozensets(st.sampled_from(["s", "t", "u"]), max_size=1)),
    )


@given(situations())
@settings(max_examples=400, deadline=None)
def test_it_never_plans_what_is_open_spent_away_or_cannot_be_asked(
    case: tuple[tuple[Step, ...], Situation],
) -> None:
    steps, where = case
    found = plan(steps, where)
    for each in found.steps:
        assert each not in where.open
        assert each not in where.spent
        assert each.source not in where.unavailable
        assert each.needs <= where.known
        assert each.identifies not in where.known
    for each in found.deferred:
        assert each.source in where.unavailable
        assert each not in where.spent
        assert each.needs <= where.known
    assert len(set(found.steps)) == len(found.steps)
    if where.wanted <= where.satisfied:
        assert found == Plan()
    if where.lane is Lane.LOW_PRIORITY:
        assert sum(each.question.cost > NEXT_TO_NOTHING for each in found.steps) <= 1
    missing = where.wanted - where.satisfied
    assert frozenset(found.steps) <= useful_steps(steps, where, missing)


def test_at_low_priority_cheap_questions_that_tell_the_same_are_asked_one_after_the_other() -> None:
    twins = Steps(
        [
            asks("one.track", TRACK, "title", "isrc bpm", batch=50),
            asks("two.track", TRACK, "title", "isrc bpm", batch=50),
            asks("three.track", TRACK, "title", "isrc bpm key genres", batch=40),
            asks("four.track", TRACK, "title", "popularity", batch=20),
        ]
    ).of(TRACK)
    where = situation("isrc bpm popularity", Lane.LOW_PRIORITY)
    assert names(plan(twins, where).steps) == {"one.track"}
    assert names(plan(twins, replace(where, wanted=where.wanted | {"key", "genres"})).steps) == {
        "three.track",
    }


@given(situations(), st.data())
@settings(max_examples=300, deadline=None)
def test_answering_what_it_plans_always_ends(case: tuple[tuple[Step, ...], Situation], data: st.DataObject) -> None:
    """Whatever is answered, each step is asked at most once, and in the end nothing is open or planned."""
    steps, where = case
    asked: set[Step] = set()
    for _ in range(3 * len(steps) + 3):
        now = plan(steps, where).steps
        assert not asked & set(now)
        asked |= set(now)
        opened = where.open | set(now)
        if not opened:
            break
        answered = data.draw(st.sampled_from(sorted(opened, key=lambda s: (s.source, s.question.name, str(s.about)))))
        found = data.draw(st.sets(st.sampled_from(sorted(answered.gives))))
        inherited = {field for field, (parent, name) in INHERITED[TRACK].items() if prefixed(parent, name) in found}
        where = replace(
            where,
            known=where.known | found,
            satisfied=where.satisfied | found | inherited,
            open=opened - {answered},
            spent=where.spent | {answered},
        )
    assert not where.open
    assert plan(steps, where).steps == ()


@given(situations())
@settings(max_examples=200, deadline=None)
def test_whatever_the_lane_a_reachable_field_is_not_given_up(case: tuple[tuple[Step, ...], Situation]) -> None:
    """Where a step could be asked now and directly gives a missing field, something is planned or open."""
    steps, where = case
    missing = where.wanted - where.satisfied
    direct = [
        s
        for s in steps
        if s.gives & missing
        and s.needs <= where.known
        and s not in where.spent
        and s.identifies not in where.known
        and s.source not in where.unavailable
    ]
    if direct:
        assert plan(steps, where).steps or where.open
