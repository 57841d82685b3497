"""What the operator may say, and what he is told where it cannot be read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from enrichment.bootstrap import Parts, build
from enrichment.domain.questions import Budget, Limit
from enrichment.settings import load, read_budget

DEFAULT = Budget((Limit(1, 1, 2),), concurrency=3, per_day=100)


def test_nothing_said() -> None:
    settings = load({})
    assert (settings.speed, settings.threads, settings.commercial) == (1.0, 32, False)
    assert settings.source_url("deezer", "https://api.deezer.com/") == "https://api.deezer.com"
    assert settings.source_budget("deezer", DEFAULT) == DEFAULT


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_database_url_as_psql_takes_it(scheme: str) -> None:
    assert load({"LINERNOTES_DATABASE_URL": f"{scheme}://u@h/d"}).database_url == "postgresql+psycopg://u@h/d"


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError):
        load({}).speed = 2  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("name", "value"),
    [("SPEED", "0"), ("SPEED", "fast"), ("THREADS", "1"), ("THREADS", "1000"), ("COMMERCIAL", "perhaps")],
)
def test_what_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        load({f"LINERNOTES_{name}": value})


def test_secrets_are_not_shown() -> None:
    settings = load({"LINERNOTES_DATABASE_URL": "postgresql://u:s3cret@h/d", "LASTFM_API_KEY": "s3cret"})
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.model_dump(exclude={"database_url"}))
    assert settings.text("LASTFM_API_KEY") == "s3cret"


class TestUrls:
    def test_own_before_simulator_before_real(self) -> None:
        simulated = {"LINERNOTES_UPSTREAM_URL": "http://sim:1/"}
        own = simulated | {"LINERNOTES_DEEZER_URL": "http://mirror/"}
        assert load(simulated).source_url("deezer", "https://real") == "http://sim:1/deezer"
        assert load(own).source_url("deezer", "https://real") == "http://mirror"

    def test_a_site_moves_with_its_source_or_has_its_own(self) -> None:
        settings = load({"LINERNOTES_SPOTIFY_ACCOUNTS_URL": "http://accounts", "LINERNOTES_UPSTREAM_URL": "http://sim"})
        assert settings.site_url("spotify", "accounts", "https://real", ["spotify"]) == "http://accounts"
        assert settings.site_url("spotify", "other", "https://real", ["spotify"]) == "http://sim/spotify"
        assert settings.site_url("coverartarchive", "musicbrainz", "https://real", ["musicbrainz"]) == (
            "http://sim/musicbrainz"
        )
        assert load({}).site_url("spotify", "accounts", "https://real/", []) == "https://real"


class TestBudgets:
    @pytest.mark.parametrize(
        ("text", "budget"),
        [
            ("45/5", Budget((Limit(45, 5, 2),), 3, 100)),
            ("45/5s, burst=4, concurrency=8, day=800", Budget((Limit(45, 5, 4),), 8, 800)),
            ("1/1; 300/3600 burst=3", Budget((Limit(1, 1, 3), Limit(300, 3600, 3)), 3, 100)),
            ("0.5/1.5", Budget((Limit(0.5, 1.5, 2),), 3, 100)),
            ("day=5", Budget((Limit(1, 1, 2),), 3, 5)),
            ("burst=0", Budget((Limit(1, 1, 2),), 3, 100)),
        ],
    )
    def test_as_an_operator_writes_it(self, text: str, budget: Budget) -> None:
        assert read_budget(text, DEFAULT) == budget

    @pytest.mark.parametrize("text", ["fast", "1", "1/", "/1", "-1/1", "burst", "burst=x", "bursts=2", "1/1, what=2"])
    def test_what_is_wrong_is_shown(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"budget .* neither calls/seconds nor burst="):
            read_budget(text, DEFAULT)

    @pytest.mark.parametrize("text", ["0/1", "1/0"])
    def test_nothing_is_no_rate(self, text: str) -> None:
        with pytest.raises(ValueError, match="above 0"):
            read_budget(text, DEFAULT)

    def test_speed_makes_rates_and_days_faster_but_not_bursts(self) -> None:
        settings = load({"LINERNOTES_SPEED": "10", "LINERNOTES_DEEZER_BUDGET": "45/5"})
        assert settings.source_budget("deezer", DEFAULT) == Budget((Limit(450, 5, 2),), 3, 1000)


def test_options_of_a_source_are_its_own() -> None:
    settings = load({"LINERNOTES_SPOTIFY_MODE": "extended", "LINERNOTES_SPOTIFYX_MODE": "no", "SPOTIFY_MODE": "no"})
    assert settings.source_options("spotify") == {"mode": "extended"}


def test_an_option_that_is_empty_is_not_set() -> None:
    environ = {
        "LINERNOTES_DATABASE_URL": "postgresql://h/d",
        "LINERNOTES_REDIS_URL": "redis://h",
        "LINERNOTES_SPOTIFY_MODE": "",
        "LINERNOTES_SPOTIFY_BUDGET": " ",
        "LINERNOTES_DEEZER_BREAKER_THRESHOLD": "",
        "LINERNOTES_DEEZER_BREAKER_SECONDS": "  ",
    }
    assert load(environ).source_options("spotify") == {}
    fleet = build(load(environ), Parts())
    assert "mode" not in fleet.sources["spotify"].options
    assert fleet.limiter.budget("spotify") == fleet.sources["spotify"].budget
    fleet.close()


@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
def test_a_fleet_says_what_it_needs(missing: str) -> None:
    environ = {"LINERNOTES_DATABASE_URL": "postgresql://h/d", "LINERNOTES_REDIS_URL": "redis://h"}
    del environ[f"LINERNOTES_{missing}"]
    with pytest.raises(ValueError, match=f"LINERNOTES_{missing} is not set"):
        build(load(environ), Parts())


def test_a_budget_nobody_can_read_is_told_at_the_start() -> None:
    environ = {
        "LINERNOTES_DATABASE_URL": "postgresql://h/d",
        "LINERNOTES_REDIS_URL": "redis://h",
        "LINERNOTES_DEEZER_BUDGET": "plenty",
    }
    with pytest.raises(ValueError, match="'plenty'"):
        build(load(environ), Parts())
