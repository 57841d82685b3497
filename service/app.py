"""The application: `create` makes it of settings, or of a fleet that is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI

from enrichment.bootstrap import VERSION, Parts, build
from enrichment.publishing import make_broker_check, make_sender
from enrichment.services.fleet import Fleet, SendFetch
from enrichment.services.health import Health
from enrichment.services.outlook import Outlook
from enrichment.settings import Settings, load
from service import errors, graphql
from service.context import Service, read_open_to_all
from service.metrics import Measured, Metrics
from service.routes import batches, looking, operating, requests, subjects
from service.submitting import Submitting
from service.watch import Watch

CONNECTIONS = 8
LARGEST_BODY = 1024 * 1024
BATCHES_AT_ONCE = 2

ABOUT = "Enriches performers, tracks and albums from many upstreams, each at exactly the rate it allows."


def create(settings: Settings | None = None, fleet: Fleet | None = None) -> FastAPI:
    """The service. fleet: in place of one built of the settings.

    Connects to nothing before the first request. Raises ValueError where a setting is missing or cannot be read.
    """
    settings = settings or load()
    fleet = fleet or build(settings, Parts(send_fetch=_sender(settings), connections=CONNECTIONS))
    service = Service(
        fleet,
        Outlook(fleet),
        Health(fleet, make_broker_check(settings.broker_url) if settings.broker_url else None),
        Submitting(fleet),
        Watch(fleet),
        Metrics(fleet),
        read_open_to_all(settings.open_to_all),
        batches=anyio.CapacityLimiter(BATCHES_AT_ONCE),
        checks=anyio.CapacityLimiter(1),
    )
    app = FastAPI(
        title="linernotes",
        version=VERSION,
        description=ABOUT,
        # Their pages load scripts from elsewhere; any OpenAPI viewer can read /openapi.json.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=LARGEST_BODY,
        responses=errors.OF_ALL,
        lifespan=_lifespan,
    )
    app.state.service = service
    app.add_middleware(Measured, metrics=service.metrics)
    errors.install(app)
    # `/enrich/batch` and the like stand before paths that take any id.
    for routes in (looking.router, operating.router, batches.router, requests.router, subjects.router):
        app.include_router(routes)
    app.include_router(graphql.router(), include_in_schema=False)
    return app


def _sender(settings: Settings) -> SendFetch | None:
    return make_sender(settings.broker_url) if settings.broker_url else None


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.service.fleet.engine.dispose()
