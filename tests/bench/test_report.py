"""The contract of a benchmark: what it prints, and its exit code."""

from __future__ import annotations

import pytest

from bench.report import Report, at_least, at_most, benchmarks, show


def test_what_is_checked_is_printed_with_its_bound_and_whether_it_holds():
    report = Report("small", {"rows": 2}, [at_most("calls", 0.3, 0.4), at_least("coverage", 0.8, 0.85)])
    told = report.as_json()
    assert set(told) == {"name", "figures", "checks", "machine"}
    assert told["checks"] == [
        {"what": "calls", "value": 0.3, "at_most": 0.4, "holds": True},
        {"what": "coverage", "value": 0.8, "at_least": 0.85, "holds": False},
    ]
    assert told["machine"]["cpus"] >= 1


def test_the_exit_code_tells_whether_all_checks_hold():
    assert Report("small", {}, [at_most("calls", 0.4, 0.4), at_least("coverage", 0.85, 0.85)]).exit_code == 0
    assert Report("small", {}, [at_most("calls", 0.4, 0.4), at_least("coverage", 0.84, 0.85)]).exit_code == 1


def test_what_could_not_be_measured_does_not_hold():
    assert not at_most("calls", None, 1.0).holds


def test_people_see_which_check_does_not_hold(capsys: pytest.CaptureFixture[str]):
    show(Report("small", {}, [at_most("calls [all]", 0.3, 0.4), at_least("coverage", 0.8, 0.85)]))
    calls, coverage = [line for line in capsys.readouterr().out.splitlines() if "0.4" in line or "0.85" in line]
    assert "calls [all]" in calls
    assert calls.split()[-1] == "holds"
    assert coverage.split()[-3:] == ["DOES", "NOT", "HOLD"]


def test_benchmarks_are_found_by_themselves():
    found = benchmarks()
    assert {"calls", "claims"} <= found.keys()
    assert not {"report", "driving", "naive", "workload"} & found.keys()
    assert all(about for about in found.values())
