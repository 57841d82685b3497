"""Which of several candidates is it? The best that fits, unless another recording fits as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from enrichment.domain.matching import weights
from enrichment.domain.matching.sides import Choice, Match, Side
from enrichment.domain.matching.weighing import Evidence, apart, evidence_on, judge, match, strength
from enrichment.domain.matching.weights import NO, SAME

_WRONG_DURATION = frozenset((weights.DURATION_DOUBT, weights.DURATION_VETO))
_BACKING = frozenset((weights.ISRC_EQUAL, weights.LINK_EQUAL, weights.ALBUM_EQUAL))
_SLIPS = frozenset((weights.ARTIST_LOOSE, weights.ARTIST_UNTOLD, weights.TITLE_LOOSE))
_EXACT_NAMES = weights.ARTIST.points + weights.TITLE.points


@dataclass(frozen=True, slots=True)
class _Hit:
    """A candidate with what speaks for it.

    found: the verdict on it; where all but one single doubt speaks for it (doubted), that on the rest. off:
    milliseconds between its length and the one asked for. vetoed: names or versions say that it is another recording.
    """

    index: int
    side: Side
    found: Match
    points: float
    off: int
    fits: bool
    vetoed: bool
    doubted: bool = False


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
    fitting = [hit for hit in hits if hit.fits]
    if not fitting:
        best = max(hits, key=lambda hit: hit.found.score)
        none = best.found.verdict == "different" and all(hit.vetoed for hit in hits)
        return Choice("none" if none else "unsure", None, None, best.found.score, best.found.reasons)
    best = min(fitting, key=_rank)
    rival = next((hit for hit in hits if hit is not best and _competes(hit, best)), None)
    if rival is not None:
        reason = f"candidate {rival.index} is as likely and another recording"
        return Choice("unsure", None, None, best.found.score, (*best.found.reasons, reason))
    reasons = (*best.found.reasons, "of the candidates nothing else fits") if best.doubted else best.found.reasons
    return Choice("chosen", best.side.id or None, best.index, best.found.score, reasons)


def _hit(query: Side, side: Side, at: int) -> _Hit:
    evidence = evidence_on(query, side)
    found, points = judge(evidence), strength(evidence)
    vetoed = any(piece.weight.most <= NO and piece.weight not in _WRONG_DURATION for piece in evidence)
    off = apart(query, side) or 0
    doubt = None if vetoed or found.verdict == "same" else _single_doubt(evidence, points)
    rest = judge([piece for piece in evidence if piece is not doubt]) if doubt else found
    if doubt and rest.verdict == "same":
        found = Match("unsure", min(rest.score, weights.CHOSEN), found.reasons)
        return _Hit(at, side, found, points, off, fits=True, vetoed=False, doubted=True)
    return _Hit(at, side, found, points, off, found.verdict == "same" and not vetoed, vetoed)


def _single_doubt(evidence: list[Evidence], points: float) -> Evidence | None:
    """The one piece that holds a candidate back, where it may be wrong itself and enough speaks against it.

    A duration that a tag has wrong, a slip in a short name, an artist that one side leaves out. Versions that differ
    are no doubt but a veto.
    """
    doubts = [piece for piece in evidence if piece.weight.most < SAME]
    if len(doubts) != 1:
        return None
    backed = any(piece.weight in _BACKING for piece in evidence)
    doubt = doubts[0]
    if doubt.weight is weights.DURATION_DOUBT and points - doubt.points >= _EXACT_NAMES:
        return doubt
    taken = doubt.weight in _WRONG_DURATION or (doubt.weight in _SLIPS and points >= weights.BACKED)
    return doubt if backed and taken else None


def _rank(hit: _Hit) -> tuple[float, int, float, int]:
    """Best first."""
    return -hit.points, hit.off, -(hit.side.fans or 0.0), hit.index


def _competes(hit: _Hit, best: _Hit) -> bool:
    """Could it be this one rather than the best? What does not fit has to have clearly more for it."""
    lead = best.points - hit.points
    if lead > weights.RIVAL or (lead > -weights.RIVAL and not hit.fits):
        return False
    return match(best.side, hit.side).verdict != "same"
