"""The fleet learns who knows whom, and uses it in low_priority where it pays."""

from __future__ import annotations

import pytest

from cli.train import fit
from enrichment.services.requests import PerformerRequest, read
from enrichment.services.submit import submit
from enrichment.services.training import train_sources
from tests.services.fakes import Bench

pytest.importorskip("sklearn", reason="the extra `train` is not installed")

LATIN, ANY = 2, 4
"""The source knows the first half of so many: every Latin name, or every second name of either script."""


def history(bench: Bench, every: int) -> None:
    """2,000 answers about performers, every second one of a Latin name."""
    bench.run(
        "INSERT INTO performers (id, name)"
        " SELECT md5('p' || n)::uuid, CASE WHEN n % 2 = 0 THEN 'Artist ' ELSE 'Артист ' END || n"
        " FROM generate_series(1, 2000) n"
    )
    bench.run(
        "INSERT INTO lookups (source, question, kind, subject_id, state, priority, outcome, claimed_at, settled_at)"
        " SELECT 'alpha', 'performer', 'performer', md5('p' || n)::uuid, 'ended', 2,"
        " CASE WHEN n % :every < :every / 2 THEN 'found' ELSE 'nothing_found' END, now(), now()"
        " FROM generate_series(1, 2000) n",
        every=every,
    )


def asked(bench: Bench, name: str, priority: int) -> list[str]:
    """The questions that a request makes."""
    submit(bench.fleet, read(PerformerRequest, {"name": name, "priority": priority}))
    bench.settle_down()
    calls = [keys["name"] for question, all_ in bench.upstream.asked for keys in all_ if question == "performer"]
    return [each for each in calls if each == name]


def test_who_is_probably_unknown_is_not_asked_about_in_low_priority(bench: Bench) -> None:
    history(bench, LATIN)

    (measured,) = train_sources(bench.fleet, fit, dry_run=True)
    assert bench.rows("SELECT FROM source_models") == []
    assert asked(bench, "Кино", 2) == ["Кино"]
    train_sources(bench.fleet, fit)
    bench.fleet.forget()

    assert 600 < measured.pop("held_back") < 733
    assert 0.45 < measured.pop("calls_saved") < 0.55
    assert measured == {
        "source": "alpha",
        "question": "performer",
        "answers": 2000,
        "found": 1000,
        "coverage_lost": 0.0,
        "used": True,
    }
    assert asked(bench, "Аквариум", 2) == []
    assert asked(bench, "Portishead", 2) == ["Portishead"]
    assert asked(bench, "Алиса", 5) == ["Алиса"], "a learnt chance counts in low_priority only"


def test_what_does_not_pay_is_not_used(bench: Bench) -> None:
    history(bench, LATIN)
    train_sources(bench.fleet, fit)
    assert len(bench.rows("SELECT FROM source_models")) == 1
    bench.run("TRUNCATE performers, lookups CASCADE")
    history(bench, ANY)

    (measured,) = train_sources(bench.fleet, fit)

    assert (measured["calls_saved"], measured["used"]) == (0.0, False)
    assert bench.rows("SELECT FROM source_models") == []


def test_little_is_not_learnt_from(bench: Bench) -> None:
    history(bench, LATIN)

    assert train_sources(bench.fleet, fit, most=100) == []
