"""The overview, its live part, the charts, each source, the workers."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from enrichment.domain.outcomes import ANSWERED
from enrichment.services import overview, standing
from enrichment.services.audit import audited, entries
from enrichment.services.fleet import STOP, Fleet
from enrichment.services.tokens import Scope
from service.console import charts
from service.console.charts import SPANS, Buckets, Chart, Value, chart
from service.console.live import Live
from service.console.render import ENV, back, page
from service.console.viewer import Form, Operator, Reader, Viewer
from service.context import of

router = APIRouter()
Span = Annotated[str, Query(pattern="^(1h|6h|24h)$")]
PICTURES = {"track": "artwork_url", "album": "cover_art_url", "performer": "image_url"}


@router.get("/")
def glance(request: Request, viewer: Reader) -> Response:
    """What every source is doing now."""
    live: Live = request.app.state.live
    minutes = _minutes(viewer.fleet, "1h")
    return page(
        request,
        "overview.html",
        section="",
        glance=live.overview.now(),
        charts=[_throughput(minutes), _artwork(minutes)],
    )


@router.get("/live")
async def live(request: Request, viewer: Reader) -> Response:
    """The changing part of the overview, every second, as server-sent events."""
    told = _events(request, viewer)
    return StreamingResponse(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _events(request: Request, viewer: Viewer) -> AsyncIterator[str]:
    template = ENV.get_template("glance.html")
    live: Live = request.app.state.live
    base = request.scope["root_path"]
    async for seen in live.glances(lambda: of(request).watch.closed):
        if seen is None:
            yield "event: away\ndata:\n\n"
            continue
        html = template.render(glance=seen, base=base, viewer=viewer)
        yield "".join(f"data: {line}\n" for line in html.splitlines() if line.strip()) + "\n"


# --- charts ---------------------------------------------------------------------------------------------------------


@router.get("/charts")
def all_charts(request: Request, viewer: Reader, span: Span = "1h") -> Response:
    """Throughput, coverage, artwork, and the calls of each source against its limit."""
    minutes = _minutes(viewer.fleet, span)
    whole = [_throughput(minutes), _coverage(minutes), _artwork(minutes)]
    sources = [_calls(viewer.fleet, name, minutes) for name in viewer.fleet.sources]
    return page(request, "charts.html", section="charts", span=span, spans=list(SPANS), whole=whole, sources=sources)


def _minutes(fleet: Fleet, span: str) -> Buckets:
    return charts.buckets(overview.minutes(fleet, SPANS[span][0]), datetime.now(UTC), span)


def _throughput(minutes: Buckets) -> Chart:
    def settled(answered: bool) -> list[Value]:
        return charts.points(
            minutes, lambda m: sum(n for name, n in m.outcomes.items() if (name in ANSWERED) is answered)
        )

    return chart("Throughput", "lookups per minute", {"answered": settled(True), "not answered": settled(False)})


def _coverage(minutes: Buckets) -> Chart:
    def share(kind: str) -> list[Value]:
        return charts.points(minutes, lambda m: _percent(m.coverage.get(kind, {}).values()))

    return chart("Coverage", "percent of wanted fields", {f"{kind}s": share(kind) for kind in PICTURES})


def _artwork(minutes: Buckets) -> Chart:
    def share(kind: str, name: str) -> list[Value]:
        return charts.points(
            minutes, lambda m: _percent([each] if (each := m.coverage.get(kind, {}).get(name)) is not None else ())
        )

    return chart(
        "Artwork", "percent with a picture", {f"{kind}s": share(kind, name) for kind, name in PICTURES.items()}
    )


def _percent(shares: Collection[float]) -> Value:
    """Their mean."""
    return 100 * sum(shares) / len(shares) if shares else None


def _calls(fleet: Fleet, source: str, minutes: Buckets) -> Chart:
    rate = fleet.limiter.budget(source).rate
    calls = charts.points(minutes, lambda minute: minute.calls.get(source, 0))
    return chart(source, "calls per minute", {"calls": calls}, permitted=60 * rate if math.isfinite(rate) else None)


# --- a source -------------------------------------------------------------------------------------------------------


@router.get("/sources/{name}")
def source(name: str, request: Request, viewer: Reader, span: Span = "1h") -> Response:
    """One source: what it may, how it stands, what was done to it."""
    fleet = _with(viewer, name)
    live: Live = request.app.state.live
    return page(
        request,
        "source.html",
        section="",
        span=span,
        spans=list(SPANS),
        now=next(each for each in live.overview.now().sources if each.name == name),
        facts=overview.facts(fleet, name),
        chart=_calls(fleet, name, _minutes(fleet, span)),
        history=entries(fleet, name, most=10) if viewer.may(Scope.ADMIN) else [],
    )


@router.post("/sources/{name}/pause")
def pause(name: str, request: Request, form: Form, viewer: Operator) -> Response:
    """No calls for so many minutes; 0 minutes is until somebody resumes it."""
    fleet = _with(viewer, name)
    minutes = form.numbers("minutes")
    seconds = (minutes[-1] * 60.0 if minutes else 0.0) or STOP + 1
    reason = form.text("reason") or "paused by hand"
    with audited(fleet, viewer.who, "pause", name, seconds=seconds, reason=reason):
        standing.pause(fleet, name, seconds, reason, ours=False)
    return back(request, f"{name} is {'stopped' if seconds > STOP else 'paused'}.")


@router.post("/sources/{name}/resume")
def resume(name: str, request: Request, form: Form, viewer: Operator) -> Response:
    """End a pause, a stop, or an open breaker."""
    del form
    fleet = _with(viewer, name)
    with audited(fleet, viewer.who, "resume", name):
        standing.resume(fleet, name)
    return back(request, f"{name} is resumed: one call goes first.")


def _with(viewer: Viewer, name: str) -> Fleet:
    if name not in viewer.fleet.sources:
        raise HTTPException(404, f"There is no source {name!r}.")
    return viewer.fleet


# --- workers --------------------------------------------------------------------------------------------------------


@router.get("/workers")
def workers(request: Request, viewer: Reader) -> Response:
    """Who does the work."""
    return page(request, "workers.html", section="workers", workers=overview.workers(viewer.fleet))
