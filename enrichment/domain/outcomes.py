"""What a call can come to, named by the next move.

a reply ──judge──> Verdict ──OUTCOME_OF──> Outcome ──settle──> the lookup's next state

found, nothing_found   an answer; the lookup has ended
try_later              wait 15, 60, 300 s, then a dead letter; counts an attempt
over_budget            we chose to wait; costs no attempt
refused                no until a person acts; stops the source, dead letter
unreadable             an answer in a shape we do not know; dead letter
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from enrichment.domain.findings import Candidate, Finding


class Outcome(StrEnum):
    FOUND = "found"
    NOTHING_FOUND = "nothing_found"
    TRY_LATER = "try_later"
    OVER_BUDGET = "over_budget"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


ANSWERED = frozenset({Outcome.FOUND, Outcome.NOTHING_FOUND})


class Verdict(StrEnum):
    """How one HTTP exchange is judged (reference: upstreams, 3.6)."""

    ANSWER = "answer"
    """The upstream answered; "not found" is an answer too, and the source reads it."""
    OUR_RATE = "our_rate"
    """We asked too fast: the source pauses for the whole fleet until retry_after."""
    QUOTA = "quota"
    """A long quota is used up: the source pauses, usually for hours."""
    SHED = "shed"
    """The upstream sheds load, not our fault: try again within seconds, do not slow down."""
    FAILING = "failing"
    """5xx, time-out, reset: the upstream is ill."""
    REFUSED = "refused"
    """Key refused, banned, endpoint removed: stays no until a person acts."""
    BAD_REQUEST = "bad_request"
    """The upstream does not accept this request: a batch is split, a lone one is a dead letter."""
    UNREADABLE = "unreadable"
    """An answer in a shape we do not know."""
    BLOCKED = "blocked"
    """We did not send it: the source was paused or out of budget at the moment of writing. See
    `Judgement.is_held_up`.
    """


OUTCOME_OF: dict[Verdict, Outcome] = {
    Verdict.OUR_RATE: Outcome.OVER_BUDGET,
    Verdict.QUOTA: Outcome.OVER_BUDGET,
    Verdict.SHED: Outcome.OVER_BUDGET,
    Verdict.BLOCKED: Outcome.OVER_BUDGET,
    Verdict.FAILING: Outcome.TRY_LATER,
    Verdict.REFUSED: Outcome.REFUSED,
    Verdict.BAD_REQUEST: Outcome.UNREADABLE,
    Verdict.UNREADABLE: Outcome.UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what the upstream said about it. retry_after: seconds, None where it named none."""

    verdict: Verdict
    retry_after: float | None = None
    message: str = ""

    @property
    def is_held_up(self) -> bool:
        """Was it not sent for its own host's sake? The source may go on."""
        return self.verdict is Verdict.BLOCKED and self.retry_after is not None


ANSWER = Judgement(Verdict.ANSWER)


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one lookup of a batch, with its findings. Use the constructors below.

    candidates: those who may be the subject, where the source cannot tell which of them is. pictures: of the one that
    was downloaded, by size, as JPEG.
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    note: str = ""
    candidates: tuple[Candidate, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def found(cls, findings: Iterable[Finding]) -> Answer:
        """Findings, or nothing found where there are none."""
        kept = tuple(findings)
        return cls(Outcome.FOUND, kept) if kept else cls(Outcome.NOTHING_FOUND)

    @classmethod
    def nothing(cls, note: str = "") -> Answer:
        """The upstream answered and does not know this subject, or no candidate was good enough (say so in note)."""
        return cls(Outcome.NOTHING_FOUND, note=note)

    @classmethod
    def unsure(cls, note: str, candidates: Iterable[Candidate]) -> Answer:
        """The upstream knows several who may be this subject: nothing found, and a person may say which it is."""
        return cls(Outcome.NOTHING_FOUND, note=note, candidates=tuple(candidates))

    @classmethod
    def cut_off(cls) -> Answer:
        """The upstream's silent cap left this row of the batch unanswered: it goes back to waiting, at no cost."""
        return cls(Outcome.OVER_BUDGET, note="left unanswered by the upstream's cap")

    @classmethod
    def unreadable(cls, note: str) -> Answer:
        """The reply's part for this lookup has a shape we do not know."""
        return cls(Outcome.UNREADABLE, note=note)
