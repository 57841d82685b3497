"""A worker's life: it joins the fleet, its steward makes its rounds, it leaves in good order."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress
from typing import Any

import redis
import structlog
from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from enrichment.bootstrap import register_sources, settle_in
from enrichment.services.steward import retire
from workers import foreign, process
from workers.overdue import forget_old_requests, submit_overdue
from workers.tasks import register_fetch
from workers.unreadable import bring_in

ROUND_SECONDS = 1.0
M_ARENA_MAX = -8
"""Of <malloc.h>."""

log = structlog.get_logger()
_left = threading.Event()
_threads: list[threading.Thread] = []


@signals.worker_init.connect
def join(**_: Any) -> None:
    """Before the first message: the fetch tasks are known, the sources have their rows."""
    # A turn's moment is kept only if its thread runs when it comes: with the default of 5 ms, ten threads that settle
    # hold up the one that is about to call by 50.
    sys.setswitchinterval(0.0005)
    _share_heaps()
    for source in process.fleet().sources:
        register_fetch(source)
    register_sources(process.fleet())
    process.fleet().standings()
    process.steward().beat()
    settle_in()


def _share_heaps() -> None:
    """Glibc makes many heaps, eight a core, for as many threads; what one has freed is of no use to the others."""
    with suppress(AttributeError):  # elsewhere there is no such option
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


@signals.worker_ready.connect
def start_steward(**_: Any) -> None:
    """The steward begins when messages can be taken."""
    thread = threading.Thread(target=_rounds, name="steward", daemon=True)
    _threads.append(thread)
    thread.start()
    _threads.extend(foreign.start(process.settings()))


@signals.worker_shutting_down.connect
def stop(**_: Any) -> None:
    """No more rounds, and who waits for a turn gives up; calls under way may end, but not for ever."""
    process.stopping.set()
    threading.Thread(target=_end_in_time, name="deadline", daemon=True).start()


@signals.worker_shutdown.connect
def leave(**_: Any) -> None:
    """What is still held comes back at once instead of after a while."""
    for thread in _threads:
        thread.join(timeout=5)
    _hand_back()
    _left.set()


def _end_in_time() -> None:
    """A worker that outstays its grace would be killed, and what it held would count as held by a dead one."""
    if not _left.wait(process.settings().stop_seconds):
        log.warning("what is still under way is handed back")
        handing_back = threading.Thread(target=_hand_back, daemon=True)
        handing_back.start()
        handing_back.join(timeout=5)
        os._exit(0)


def _hand_back() -> None:
    try:
        retire(process.fleet())
    except (SQLAlchemyError, redis.RedisError) as error:
        log.warning("left without saying goodbye", error=str(error)[:200])


def _rounds() -> None:
    while not process.stopping.wait(ROUND_SECONDS):
        try:
            process.fleet().standings()  # keys that have changed, also where nothing else asks
            process.steward().round()
            bring_in()
            submit_overdue()
            forget_old_requests()
        except (SQLAlchemyError, redis.RedisError) as error:
            log.warning("steward must wait", error=f"{type(error).__name__}: {error}"[:200])
        except Exception:
            # A steward that falls would leave the fleet without one, and nobody would see.
            log.exception("steward's round failed")
