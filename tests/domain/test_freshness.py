"""How long statements hold, and when to ask again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.domain.findings import Statement
from enrichment.domain.freshness import may_use, recheck_at, satisfies, stale_at
from enrichment.domain.questions import Terms

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "fresh"),
    [(timedelta(0), True), (timedelta(days=7) - SECOND, True), (timedelta(days=7), False), (timedelta(days=90), False)],
)
def test_a_statement_is_fresh_for_its_days(age: timedelta, fresh: bool) -> None:
    assert (stale_at(Statement("isrc", "X", 0.9, "deezer", NOW - age), 7) > NOW) is fresh


@pytest.mark.parametrize(
    ("misses", "days"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 32), (10_000, 32)]
)
def test_what_nobody_knew_is_asked_again_ever_more_rarely(misses: int, days: int) -> None:
    assert recheck_at(NOW, misses) == NOW + timedelta(days=days)


@pytest.mark.parametrize(("misses", "days"), [(1, 8), (4, 8), (5, 16), (7, 32)])
def test_who_is_in_no_hurry_asks_again_after_eight_days_at_the_earliest(misses: int, days: int) -> None:
    assert recheck_at(NOW, misses, patient=True) == NOW + timedelta(days=days)


@given(st.integers(0, 1000))
def test_more_misses_never_mean_sooner(misses: int) -> None:
    assert recheck_at(NOW, misses) <= recheck_at(NOW, misses + 1)


@pytest.mark.parametrize(
    ("stated_at", "forced_at", "does"),
    [(NOW, None, True), (NOW, NOW, True), (NOW - SECOND, NOW, False), (NOW + SECOND, NOW, True)],
)
def test_a_forced_refresh_is_not_satisfied_by_what_was_said_before(
    stated_at: datetime, forced_at: datetime | None, does: bool
) -> None:
    assert satisfies(stated_at, forced_at) is does


HOUR = 3600.0
TERMS = (
    Terms("Data from there", "http://there.test", "CC0", keep_seconds=24 * HOUR)
    .but_for("genres", licence="CC BY-NC-SA 3.0", commercial=False)
    .but_for("images", "image_url", keep_seconds=6 * HOUR)
    .but_for("spotify_id", keep_seconds=None)
)


class TestTerms:
    def test_fields_may_be_under_other_terms(self) -> None:
        assert TERMS.of("isrc") is TERMS
        assert (TERMS.of("genres").licence, TERMS.of("genres").attribution) == ("CC BY-NC-SA 3.0", "Data from there")
        assert TERMS.of("performer.genres") is TERMS.of("genres")
        assert TERMS.of("images") == TERMS.of("image_url")
        assert TERMS.of("genres").by_field == {}

    @pytest.mark.parametrize(
        ("name", "commercial", "hours"),
        [
            ("genres", True, 0),
            ("genres", False, 24),
            ("isrc", True, 24),
            ("album.genres", True, 0),
            ("images", True, 6),
        ],
    )
    def test_what_may_be_used(self, name: str, commercial: bool, hours: float) -> None:
        assert TERMS.usable(name, commercial=commercial) == hours * HOUR

    @pytest.mark.parametrize(
        ("names", "hours"),
        [(["isrc"], 24), (["isrc", "performer.images"], 6), (["spotify_id"], float("inf")), ([], float("inf"))],
    )
    def test_how_long_fields_may_be_kept(self, names: list[str], hours: float) -> None:
        assert TERMS.keeps(names) == hours * HOUR

    def test_a_reply_is_kept_as_long_as_all_of_it_may_be(self) -> None:
        assert TERMS.shortest == 6 * HOUR
        assert Terms("", "").shortest == float("inf")

    @pytest.mark.parametrize(
        ("name", "hours", "usable"),
        [
            ("isrc", 24 - 1e-3, True),
            ("isrc", 24, False),
            ("images", 5, True),
            ("images", 6, False),
            ("spotify_id", 10_000, True),
            ("genres", 1, False),
        ],
    )
    def test_a_statement_is_used_while_its_terms_let_us(self, name: str, hours: float, usable: bool) -> None:
        said = Statement(name, "x", 0.9, "there", NOW - timedelta(hours=hours))
        assert may_use(said, TERMS.usable(name, commercial=True), NOW) is usable

    def test_what_a_person_has_locked_is_that_persons(self) -> None:
        said = Statement("genres", ["x"], 0.9, "there", NOW - timedelta(days=400), locked=True)
        assert may_use(said, TERMS.usable("genres", commercial=True), NOW)

    @pytest.mark.parametrize("locked", [False, True])
    def test_what_was_dropped_says_nothing(self, locked: bool) -> None:
        said = Statement("isrc", None, 0.9, "there", NOW, locked=locked)
        assert not may_use(said, float("inf"), NOW)
