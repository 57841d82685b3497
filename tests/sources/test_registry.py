from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from structlog.testing import capture_logs

from enrichment.sources.base import Source
from enrichment.sources.deezer import Deezer
from enrichment.sources.registry import GROUP, builtin_sources


class Foreign(Deezer):
    """Somebody else's source."""

    name = "foreign"


class Impostor(Deezer):
    """Takes the name of one that is there."""


def broken(_options: Any = None) -> None:
    """Not a class."""


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def here(name: str) -> str:
    return f"{__name__}:{name}"


def test_every_source_of_the_package_is_found() -> None:
    sources = builtin_sources()
    assert set(sources) >= {"musicbrainz", "listenbrainz", "spotify", "coverartarchive", "deezer", "artwork"}
    assert list(sources) == sorted(sources)
    assert all(isinstance(source, Source) and source.name == name for name, source in sources.items())


def test_options_reach_their_source() -> None:
    sources = builtin_sources({"spotify": {"mode": "extended"}})
    assert sources["spotify"].options == {"mode": "extended"}
    assert sources["deezer"].options == {}


def test_a_third_party_adds_a_source() -> None:
    assert isinstance(builtin_sources(offered=[entry("foreign", here("Foreign"))])["foreign"], Foreign)


def test_a_broken_one_is_reported_and_the_others_work() -> None:
    offered = [
        entry("a", "no.such.module:Thing"),
        entry("b", here("no_such_name")),
        entry("c", here("broken")),
        entry("d", here("Impostor")),
        entry("e", here("Foreign")),
    ]
    with capture_logs() as logs:
        sources = builtin_sources(offered=offered)
    assert {"foreign", "deezer"} <= set(sources)
    assert type(sources["deezer"]) is Deezer
    assert [(log["entry_point"], log["log_level"]) for log in logs] == [(one.value, "warning") for one in offered[:4]]
