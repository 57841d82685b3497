"""What a worker process has one of: its fleet, its Redis client, its steward."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cache

import redis

from enrichment.bootstrap import Parts, build, build_steward, make_redis
from enrichment.services.fleet import Fleet
from enrichment.services.steward import Steward
from enrichment.settings import Settings, load

stopping = threading.Event()
"""Set when this worker is told to stop."""

parts = Parts()
"""What the fleet is built of; a program that starts workers of another kind sets it before first use."""


@cache
def settings() -> Settings:
    """Read once."""
    return load()


@cache
def fleet() -> Fleet:
    """Built at first use, after the worker has forked whatever it forks."""
    return build(settings(), replace(parts, send_fetch=send_fetch, threads=settings().threads, stopping=stopping))


@cache
def redis_client() -> redis.Redis:
    """For what is neither limiter nor cache."""
    return make_redis(settings())


def has_journal() -> bool:
    """Is the broker a Redis, which loses what a worker had popped when it dies?"""
    return settings().broker_url.startswith(("redis://", "rediss://"))


@cache
def broker_redis() -> redis.Redis:
    """A Redis that keeps its data: the broker's. Where the broker is none, the limiter's, which is better than none."""
    return (
        make_redis(settings().model_copy(update={"redis_url": settings().broker_url}))
        if has_journal()
        else redis_client()
    )


@cache
def steward() -> Steward:
    """Made at first use."""
    return build_steward(fleet(), settings())


def send_fetch(source: str, ticket: str) -> None:
    """Publishes a fetch message. Not retried: a ticket that never starts is given up, and the steward sends another."""
    from workers.app import app  # noqa: PLC0415 - the app's transport keeps unreadable messages through this module

    app.send_task(f"fetch.{source}", kwargs={"ticket": ticket}, queue="fetch", retry=False)
