"""The selector: what the silence of some tells of the chances of others."""

from __future__ import annotations

from typing import Any

import pytest

from enrichment.domain.planning import Situation, Step, Steps, plan
from enrichment.domain.questions import Chances, Question
from enrichment.domain.selecting import EXISTS, LEFT_OUT, Selector
from enrichment.domain.subjects import Kind, Lane

TRACK, ALBUM = Kind.TRACK, Kind.ALBUM


def asks(name: str, kind: Kind, needs: str, gives: str, **more: Any) -> tuple[str, Question]:
    source, _, question = name.partition(".")
    return source, Question(question, kind, tuple(needs.split()), frozenset(gives.split()), **more)


STEPS = Steps(
    [
        asks("brainz.search", TRACK, "artist_name title", "musicbrainz_id"),
        asks("brainz.isrc", TRACK, "isrc", "musicbrainz_id"),
        asks("brainz.release_search", ALBUM, "artist_name title", "label"),
        asks("mirror.lookup", TRACK, "artist_name title", "musicbrainz_id"),
        asks("shop.search", TRACK, "artist_name title", "bpm"),
        asks("shop.track", TRACK, "isrc", "bpm"),
        asks("shop.album_search", ALBUM, "artist_name title", "label"),
    ],
    {
        "brainz": Chances(0.8, {"isrc": 0.6}),
        "mirror": Chances(0.8, data={"lookup": "brainz"}),
        "shop": Chances(0.9),
    },
)


def step(name: str) -> Step:
    about, _, rest = name.rpartition(":")
    source, _, question = rest.partition(".")
    found = STEPS.named(TRACK, source, question, Kind(about) if about else None)
    assert found is not None, name
    return found


def chance(name: str, *, missed: str = "", identified: tuple[Kind | None, ...] = ()) -> float:
    situation = Situation(
        TRACK,
        Lane.LOW_PRIORITY,
        frozenset(),
        frozenset(),
        frozenset({"bpm", "label"}),
        missed=frozenset(map(step, missed.split())),
        identified=frozenset(identified),
    )
    return Selector(STEPS.of(TRACK), situation, {}).chance(step(name))


FOUND = (None,)


@pytest.mark.parametrize(
    ("name", "missed", "expected"),
    [
        ("shop.search", "", 0.9),
        ("shop.search", "brainz.search", 0.9),
        ("brainz.isrc", "brainz.search", 0.6 * 0.2),
        ("brainz.isrc", "mirror.lookup", 0.6 * 0.2),
        ("brainz.search", "brainz.isrc mirror.lookup", 0.8 * 0.4 * 0.2),
        ("shop.search", "shop.search", 0.9 * 0.1),
    ],
)
def test_a_source_that_had_nothing_by_one_key_rarely_has_it_by_another(name: str, missed: str, expected: float) -> None:
    """A mirror's silence is that of the data it mirrors; that of others says nothing of what exists."""
    assert chance(name, missed=missed, identified=FOUND) == pytest.approx(expected)


def test_who_was_found_by_nobody_probably_does_not_exist() -> None:
    assert chance("shop.search") == pytest.approx(0.9 * EXISTS)
    unseen = EXISTS * 0.2
    assert chance("shop.search", missed="brainz.search") == pytest.approx(0.9 * unseen / (unseen + 1 - EXISTS))


@pytest.mark.parametrize(
    ("name", "missed", "left"),
    [
        ("album:shop.album_search", "shop.search", 1.0),
        ("album:brainz.release_search", "mirror.lookup", 1.0),
        ("album:brainz.release_search", "mirror.lookup brainz.isrc", 0.4),
        ("album:brainz.release_search", "mirror.lookup brainz.isrc brainz.search", 0.2 * 0.4),
        ("album:shop.album_search", "mirror.lookup brainz.isrc brainz.search", 1.0),
    ],
)
def test_who_misses_a_track_by_several_keys_does_not_know_its_album(name: str, missed: str, left: float) -> None:
    """One miss may be the fault of the track's title."""
    alone = chance(name, identified=(None, ALBUM))
    assert chance(name, missed=missed, identified=(None, ALBUM)) == pytest.approx(alone * left)


@pytest.mark.parametrize(
    ("found", "share"),
    [("", 1.0), ("shop.search", LEFT_OUT), ("brainz.isrc", 1.0), ("album:shop.album_search", 1.0)],
)
def test_what_an_answer_left_out_the_same_source_hardly_has(found: str, share: float) -> None:
    situation = Situation(
        TRACK,
        Lane.LOW_PRIORITY,
        frozenset(),
        frozenset(),
        frozenset({"bpm"}),
        found=frozenset(map(step, found.split())),
        identified=frozenset(FOUND),
    )
    selector = Selector(STEPS.of(TRACK), situation, {"bpm": "bpm"})
    assert selector.gain(step("shop.track")) == pytest.approx(0.9 * share)


@pytest.mark.parametrize(("kind", "asked"), [(Kind.PERFORMER, True), (TRACK, False), (ALBUM, False)])
def test_a_field_of_a_performer_may_cost_three_calls_in_low_priority(kind: Kind, *, asked: bool) -> None:
    steps = Steps([asks("shop.search", kind, "name", "genres", calls=3.0)])
    situation = Situation(kind, Lane.LOW_PRIORITY, frozenset({"name"}), frozenset(), frozenset({"genres"}))

    assert bool(plan(steps.of(kind), situation).steps) is asked
