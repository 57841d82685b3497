"""What a worker process has one of: its fleet, its Redis client, its steward."""

from __future__ import annotations

from functools import cache

import redis

from enrichment.bootstrap import Parts, build, build_steward, make_redis
from enrichment.services.fleet import Fleet
from enrichment.services.steward import Steward
from enrichment.settings import Settings, load


@cache
def settings() -> Settings:
    """Read once."""
    return load()


@cache
def fleet() -> Fleet:
    """Built at first use, after the worker has forked whatever it forks."""
    return build(settings(), Parts(send_fetch=send_fetch, threads=settings().threads))


@cache
def redis_client() -> redis.Redis:
    """For what is neither limiter nor cache."""
    return make_redis(settings())


@cache
def steward() -> Steward:
    """Made at first use."""
    return build_steward(fleet(), settings())


def send_fetch(source: str, ticket: str) -> None:
    """Publishes a fetch message. Not retried: a ticket that never starts is given up, and the steward sends another."""
    from workers.app import app  # noqa: PLC0415 - the app's transport keeps unreadable messages through this module

    app.send_task(f"fetch.{source}", kwargs={"ticket": ticket}, queue="fetch", retry=False)
