"""Is it the same recording? Names, versions, durations and codes as evidence; unsure is an answer.

A wrong identifier is worse than none, so each piece of evidence may hold a match back and no single one makes it:

names      artist and title decide; below a floor nothing else helps. Short and symbol-only names must be equal.
versions   a remix, edit, live or acoustic version is another recording; a remaster is the same one, told mildly.
duration   up to 3 s apart speaks for, more than 15 s against, more than 30 s forbids.
ISRC       equal is a strong yes where the names and lengths agree, unequal a weak no: sources get them wrong.

`weights` holds all figures with their reasons; `bench.matching` measures them. Everything is symmetric, never raises,
and costs well under a millisecond.
"""

from enrichment.domain.matching.choosing import choose
from enrichment.domain.matching.credits import same_artist
from enrichment.domain.matching.performers import Namesake, Performer, choose_performer
from enrichment.domain.matching.sides import Choice, Match, Side, side_of
from enrichment.domain.matching.titles import same_title
from enrichment.domain.matching.weighing import match
from enrichment.domain.matching.weights import FLOOR, SAME, UNSURE

__all__ = [
    "FLOOR",
    "SAME",
    "UNSURE",
    "Choice",
    "Match",
    "Namesake",
    "Performer",
    "Side",
    "choose",
    "choose_performer",
    "match",
    "same_artist",
    "same_title",
    "side_of",
]
