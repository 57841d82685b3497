"""Sync: new listens are fetched from where people scrobble."""

from __future__ import annotations

import time
from functools import partial
from itertools import chain
from typing import Any, cast

from enrichment.domain.outcomes import Verdict
from enrichment.reservoir import listens as rows
from enrichment.reservoir.retrying import in_transaction
from enrichment.services import standing
from enrichment.services.fleet import Fleet
from enrichment.services.listens import Taken, Whose, take_listens
from enrichment.services.requests import BadRequest, Unknown
from enrichment.services.turns import wait_for_turn
from enrichment.sources.lastfm import LastFM
from enrichment.wire.limiter import NotNow

SOURCE = LastFM.name
PATIENCE = 60.0
"""Seconds to wait for a turn."""

Page = tuple[list[dict[str, Any]], int]


class NoAnswer(BadRequest):
    """The upstream could not be asked, or did not answer; what was fetched before is kept."""


def sync_lastfm(fleet: Fleet, account: str, user: str) -> Taken:
    """Takes in what a Last.fm account has played since the last time, the oldest first, so that a run that is cut short
    goes on where it ended. Raises Unknown, NoAnswer and redis.RedisError.
    """
    if SOURCE not in fleet.sources or not fleet.questions[SOURCE]:
        raise NoAnswer("LASTFM_API_KEY is not set, or LINERNOTES_COMMERCIAL forbids Last.fm")
    since = in_transaction(fleet.engine, lambda connection: rows.last(connection, user, SOURCE))
    ask = partial(_page, fleet, account, int(since.timestamp()) if since else 0, int(time.time()))
    newest = ask(1)
    taken = Taken()
    for plays, _ in chain(map(ask, range(newest[1], 1, -1)), [newest]):
        take_listens(fleet, Whose(user, SOURCE, live=None), enumerate(reversed(plays), start=1), taken)
    return taken


def _page(fleet: Fleet, account: str, since: int, until: int, number: int) -> Page:
    turn = wait_for_turn(fleet, SOURCE, PATIENCE)
    if isinstance(turn, NotNow):
        reason = fleet.limiter.now(SOURCE).reason or "its turns are taken"
        raise NoAnswer(f"{SOURCE} cannot be called for {turn.after:.0f} s: {reason}")
    try:
        result, page = fleet.wire.use(SOURCE, turn, lambda client: client.plays(account, since, until, number))
    finally:
        fleet.limiter.free(turn)
    standing.learn(fleet, SOURCE, result)
    if result.judgement.verdict is not Verdict.ANSWER:
        raise NoAnswer(f"{SOURCE}: {result.judgement.message or result.judgement.verdict}")
    if page is None:
        raise Unknown(f"{SOURCE} has no user {account!r}, or one who shows their plays to nobody")
    return cast("Page", page)
