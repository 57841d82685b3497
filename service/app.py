"""The application: `create` makes it of settings, or of a fleet that is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import Depends, FastAPI
from fastapi.responses import RedirectResponse

from enrichment.bootstrap import VERSION, Parts, build, build_schedules
from enrichment.publishing import make_broker_check, make_sender
from enrichment.services.fleet import Fleet, SendFetch
from enrichment.services.health import Health
from enrichment.services.outlook import Outlook
from enrichment.services.submit import submit_all
from enrichment.settings import Settings, load
from service import errors, graphql
from service.console import app as console
from service.context import Service, read_open_to_all
from service.metrics import Measured, Metrics
from service.routes import (
    batches,
    dead_letters,
    duplicates,
    listens,
    looking,
    operating,
    performers,
    requests,
    reviews,
    schedules,
    subjects,
)
from service.together import Together
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
    outlook = Outlook(fleet)
    service = Service(
        fleet,
        outlook,
        Health(fleet, make_broker_check(settings.broker_url) if settings.broker_url else None),
        Together(lambda asked: submit_all(fleet, [request for request, _ in asked], [id_ for _, id_ in asked])),
        Together(outlook.each),
        Watch(fleet),
        Metrics(fleet),
        build_schedules(fleet, settings),
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
        dependencies=[Depends(errors.each_once)],
        lifespan=_lifespan,
    )
    app.state.service = service
    app.add_middleware(Measured, metrics=service.metrics)
    errors.install(app)
    # What is asked most is looked at first; `/enrich/batch` and the like stand before paths that take any id.
    for routes in (
        subjects.standings,
        listens.router,
        looking.router,
        operating.router,
        dead_letters.router,
        duplicates.router,
        reviews.router,
        schedules.router,
        batches.router,
        performers.router,
        requests.router,
        subjects.router,
    ):
        app.include_router(routes)
    app.include_router(graphql.router(), include_in_schema=False)
    app.mount(console.PATH, console.create(service))
    app.add_route("/", lambda _: RedirectResponse(f"{console.PATH}/"), include_in_schema=False)
    return app


def _sender(settings: Settings) -> SendFetch | None:
    return make_sender(settings.broker_url) if settings.broker_url else None


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.service.fleet.close()
