"""Which of several candidates is it? The best that fits, unless another recording fits as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from enrichment.domain.matching import weights
from enrichment.domain.matching.sides import Choice, Match, Side
from enrichment.domain.matching.weighing import Evidence, apart, evidence_on, judge, match, strength
from enrichment.domain.matching.weights import NO, SAME

_WRONG_DURATION = (weights.DURATION_DOUBT, weights.DURATION_VETO)
_BACKING = (weights.ISRC_EQUAL, weights.LINK_EQUAL, weights.ALBUM_EQUAL, weights.DURATION_EXACT)
_DOUBTS = (weights.ARTIST_LOOSE, weights.ARTIST_UNTOLD, weights.TITLE_LOOSE)
_EXACT_NAMES = 12.0


@dataclass(frozen=True, slots=True)
class _Hit:
    """A candidate with what speaks for it. off: milliseconds between its length and the one asked for."""

    index: int
    side: Side
    evidence: list[Evidence]
    found: Match
    points: float
    off: int

    @property
    def fits(self) -> bool:
        """Is it surely the same, or is there one single doubt that all else speaks against?

        A wrong duration, a slip in a short name, an artist that one side leaves out: of what a search brought, nothing
        else fits. Versions that differ are no doubt but a veto.
        """
        if self.found.verdict == "same":
            return all(piece.weight.most > NO for piece in self.evidence)
        doubts = [piece for piece in self.evidence if piece.weight.most < SAME]
        if len(doubts) != 1:
            return False
        doubt = doubts[0]
        if doubt.weight in _WRONG_DURATION:
            return self.backed or (
                doubt.weight is weights.DURATION_DOUBT and self.points - doubt.points >= _EXACT_NAMES
            )
        return doubt.weight in _DOUBTS and self.backed and self.points >= weights.BACKED

    @property
    def only_too_long(self) -> bool:
        """Is its length all that speaks against it?"""
        return all(piece.weight.most > NO or piece.weight is weights.DURATION_VETO for piece in self.evidence)

    @property
    def backed(self) -> bool:
        """Does something besides the names say that it is the one?"""
        return any(piece.weight in _BACKING for piece in self.evidence)


def choose(query: Side, candidates: Sequence[Side]) -> Choice:
    """The candidate that is what the query names.

    unsure: candidates may be it, but none surely, or two equally likely ones are different recordings. Two equally
    likely ones that are the same recording (re-releases) are no problem: the better one is taken, the earlier on a tie.

    Among candidates one single doubt, such as a wrong duration, holds none back whose album, ISRC or link is the
    query's, where `match` of the two alone would be unsure.
    """
    if not candidates:
        return Choice("none", None, None, 0.0, ("no candidates",))
    hits = [_hit(query, side, at) for at, side in enumerate(candidates)]
    fitting = sorted(filter(_fits, hits), key=_rank)
    if not fitting:
        best = max(hits, key=_score)
        none = best.found.verdict == "different" and not any(hit.only_too_long for hit in hits)
        return Choice("none" if none else "unsure", None, None, best.found.score, best.found.reasons)
    best = fitting[0]
    rival = next((hit for hit in hits if hit is not best and _competes(hit, best)), None)
    if rival is not None:
        reason = f"candidate {rival.index} is as likely and another recording"
        return Choice("unsure", None, None, best.found.score, (*best.found.reasons, reason))
    return Choice("chosen", best.side.id or None, best.index, best.found.score, best.found.reasons)


def _hit(query: Side, side: Side, at: int) -> _Hit:
    evidence = evidence_on(query, side)
    return _Hit(at, side, evidence, judge(evidence), strength(evidence), apart(query, side) or 0)


def _fits(hit: _Hit) -> bool:
    return hit.fits


def _score(hit: _Hit) -> float:
    return hit.found.score


def _rank(hit: _Hit) -> tuple[float, int, float, int]:
    """Best first."""
    return -hit.points, hit.off, -(hit.side.fans or 0.0), hit.index


def _competes(hit: _Hit, best: _Hit) -> bool:
    """Could it be this one rather than the best? What does not fit has to have clearly more for it."""
    lead = best.points - hit.points
    if lead > weights.RIVAL or (lead > -weights.RIVAL and not hit.fits):
        return False
    return match(best.side, hit.side).verdict != "same"
