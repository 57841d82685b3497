"""Which of several performers of one name is it? Their catalogues, labels, line-ups, country and audience tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from enrichment.domain.matching import weights
from enrichment.domain.matching.credits import same_artist
from enrichment.domain.matching.names import name
from enrichment.domain.matching.sides import MOST, Choice
from enrichment.domain.matching.titles import title
from enrichment.domain.matching.weighing import odds
from enrichment.domain.matching.weights import Weight
from enrichment.domain.text import clean


@dataclass(frozen=True, slots=True)
class Performer:
    """What is known of a performer; what is not stays empty.

    links: what names it elsewhere, as "source:id", or the address of a page without its scheme. titles: of its tracks
    and albums. companions: whom it is listed with, on line-ups, tracklists and credits. country: as ISO 3166-1 alpha-2.
    fans: its audience, in any one unit.
    """

    name: str
    id: str = ""
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    country: str = ""
    fans: float | None = None


@dataclass(frozen=True, slots=True)
class Namesake:
    """A candidate that bears the name. score: 0 to 1, how likely it would be if it were the only one."""

    index: int
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PerformerChoice(Choice):
    """namesakes: all candidates that bear the name, the likeliest first."""

    namesakes: tuple[Namesake, ...] = ()


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A candidate of the name. points: of name and context; unlinked: a source has it as somebody else."""

    index: int
    named: float
    points: float
    reasons: tuple[str, ...]
    fans: float
    unlinked: bool


def choose_performer(asked: Performer, candidates: Sequence[Performer]) -> PerformerChoice:
    """The candidate that is the performer asked about.

    A name alone chooses only where one candidate bears it, or one has `weights.DOMINANT` times the audience of the
    next. unsure: several bear it, and what is known of them tells none apart; the reasons name them.
    """
    weighed = [found for at, candidate in enumerate(candidates) if (found := _weighed(asked, candidate, at))]
    if not weighed:
        return PerformerChoice("none", None, None, 0.0, ("nobody of this name",))
    ranked = sorted(_with_audience(weighed), key=lambda found: (-found.points, found.index))
    namesakes = tuple(Namesake(each.index, round(odds(each.points), 3), each.reasons) for each in ranked)
    first, *others = ranked
    score = namesakes[0].score
    # Whose name is less alike needs more context than the first has.
    near = [found for found in others if found.named >= first.named]
    rivals = [found for found in near if first.points - found.points <= weights.RIVAL]
    if first.unlinked or rivals or score < weights.SAME:
        told = [f"candidate {found.index} is as likely" for found in rivals[: weights.SHARED]]
        return PerformerChoice(
            "unsure", None, None, min(score, weights.TELL), (*first.reasons, *told), namesakes=namesakes
        )
    return PerformerChoice(
        "chosen", candidates[first.index].id or None, first.index, score, first.reasons, namesakes=namesakes
    )


def _weighed(asked: Performer, candidate: Performer, at: int) -> _Weighed | None:
    """None for one whose name is not near enough to be the performer's by itself."""
    named = max(same_artist(asked.name, other) for other in (candidate.name, *candidate.aliases[:MOST]))
    by_name = weights.PERFORMER.points - weights.PERFORMER.slope * (1 - named)
    if odds(by_name) < weights.SAME:
        return None
    pieces = list(_context(asked, candidate))
    told = (f"same name, {named:.2f}", *(f"{words} ({points:+.3g})" for _, words, points in pieces))
    unlinked = any(weight is weights.LINK_UNEQUAL for weight, _, _ in pieces)
    points = by_name + sum(points for _, _, points in pieces)
    return _Weighed(at, named, points, told, candidate.fans or 0.0, unlinked)


def _context(a: Performer, b: Performer) -> Iterable[tuple[Weight, str, float]]:
    shared = set(a.links[:MOST]) & set(b.links[:MOST])
    if shared:
        yield weights.LINK_EQUAL, f"both are {min(shared)[:80]}", weights.LINK_EQUAL.points
    elif _sources(a.links) & _sources(b.links):
        yield weights.LINK_UNEQUAL, "a source has them as two", weights.LINK_UNEQUAL.points
    for weight, what, mine, others in (
        (weights.TITLES_SHARED, "titles", _titles(a.titles), _titles(b.titles)),
        (weights.LABELS_SHARED, "labels", _names(a.labels), _names(b.labels)),
        (weights.COMPANIONS_SHARED, "companions", _names(a.companions), _names(b.companions)),
    ):
        if both := mine & others:
            yield weight, f"{len(both)} {what} shared", weight.points * (1 + 0.5 * (min(len(both), weights.SHARED) - 1))
    if a.country and b.country:
        equal = a.country.upper() == b.country.upper()
        weight = weights.COUNTRY_EQUAL if equal else weights.COUNTRY_UNEQUAL
        yield weight, "same country" if equal else "other country", weight.points


def _sources(links: tuple[str, ...]) -> set[str]:
    return {link.partition(":")[0] for link in links[:MOST]}


def _titles(texts: tuple[str, ...]) -> set[str]:
    """Base titles long enough to tell songs apart: "Intro" is on every album."""
    bases = (title(clean(text)).base.joined for text in islice(texts, weights.TITLES_COMPARED))
    return {base for base in bases if len(base) > weights.TITLE_TELLS}


def _names(texts: tuple[str, ...]) -> set[str]:
    return {name(clean(text)).joined for text in islice(texts, weights.TITLES_COMPARED)} - {""}


def _with_audience(weighed: list[_Weighed]) -> list[_Weighed]:
    """Adds what a dominant audience says, among those whose name is nearest."""
    nearest = max(found.named for found in weighed)
    alike = [found for found in weighed if found.named == nearest]
    first, *others = sorted(alike, key=lambda found: -found.fans)
    if not others or first.fans < weights.DOMINANT * max(others[0].fans, 1.0):
        return weighed
    reasons = (*first.reasons, f"by far the best known of {len(alike)} ({weights.AUDIENCE.points:+.3g})")
    known = replace(first, points=first.points + weights.AUDIENCE.points, reasons=reasons)
    return [known if found is first else found for found in weighed]
