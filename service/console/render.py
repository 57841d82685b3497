"""Pages from templates: what all of them are given, their headers, the message after an action."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from enrichment.bootstrap import VERSION
from service.console.viewer import csrf_of, secret_of

SAID = "linernotes_said"
LONGEST_SAID = 600

SECURITY = {
    # Pictures are the only thing that may come from elsewhere: candidates and covers have theirs at the upstreams.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' https: http:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

SECTIONS = (
    ("", "Overview", "read"),
    ("charts", "Charts", "read"),
    ("subjects", "Subjects", "read"),
    ("reviews", "Reviews", "read"),
    ("duplicates", "Duplicates", "read"),
    ("letters", "Dead letters", "read"),
    ("schedules", "Schedules", "read"),
    ("workers", "Workers", "read"),
    ("keys", "API keys", "admin"),
    ("tokens", "Tokens", "admin"),
    ("audit", "Audit", "admin"),
)
"""Path, name, and the scope it takes to see it."""


def duration(seconds: float | None) -> str:
    """As a person says it: "8 s", "3 min", "2 h", "5 days"."""
    if seconds is None:
        return "–"
    for unit, size, until in (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3600, 48 * 3600)):
        if seconds < until:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def ago(moment: datetime | str | None) -> str:
    """How long it is since."""
    if moment is None:
        return "–"
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{duration(max(0.0, (datetime.now(UTC) - at).total_seconds()))} ago"


def clock(moment: datetime | str | None) -> str:
    """In full, to the second, in UTC."""
    if moment is None:
        return ""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def number(value: float | None, digits: int = 0) -> str:
    """With thousands apart."""
    return "–" if value is None or math.isinf(value) else f"{value:,.{digits}f}"


def rate(value: float | None) -> str:
    """Calls per second, to as many places as it takes to tell."""
    return number(value, 2 if value is not None and value < 1 else 1 if value is not None and value < 100 else 0)


def words(name: str) -> str:
    """A name of ours as people write it: "low_priority" is "low priority"."""
    return name.replace("_", " ")


def is_web(value: Any) -> bool:
    """May this be a link? Nothing but the web may, whatever an upstream states."""
    return isinstance(value, str) and value.startswith(("https://", "http://"))


ENV = Environment(
    loader=PackageLoader("service.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENV.filters |= {
    "ago": ago,
    "clock": clock,
    "duration": duration,
    "number": number,
    "rate": rate,
    "words": words,
    "json": lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
    "query": lambda values: urlencode({name: value for name, value in values.items() if value}),
}
ENV.tests["web"] = is_web
ENV.globals |= {"version": VERSION, "sections": SECTIONS}


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for who is signed in, with what the last action had to say."""
    said = request.cookies.get(SAID)
    html = ENV.get_template(template).render(
        base=request.scope["root_path"],
        viewer=getattr(request.state, "viewer", None),
        csrf_field=Markup('<input type="hidden" name="csrf" value="{}">').format(csrf_of(secret_of(request))),
        said=_read(said),
        **values,
    )
    response = HTMLResponse(html, status, SECURITY)
    if said is not None:
        response.delete_cookie(SAID, path=request.scope["root_path"])
    return response


def _read(said: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(unquote(said or "null"))
        return {"text": str(found["text"]), "bad": bool(found["bad"])} if found else None
    except (ValueError, KeyError, TypeError):
        return None


def to(request: Request, path: str, said: str = "", *, bad: bool = False) -> RedirectResponse:
    """On to a page of ours, which shows what is said. The message is in a cookie: no link can make us say anything."""
    base = request.scope["root_path"]
    response = RedirectResponse(f"{base}/{path.lstrip('/')}", 303, SECURITY)
    if said:
        text = quote(json.dumps({"text": said[:LONGEST_SAID], "bad": bad}))
        response.set_cookie(SAID, text, max_age=60, path=base, httponly=True, samesite="strict")
    return response


def back(request: Request, said: str, *, bad: bool = False) -> RedirectResponse:
    """To where the form was sent from."""
    base, parts = request.scope["root_path"], urlsplit(request.headers.get("referer", ""))
    path = parts.path.removeprefix(base) if parts.path.startswith(f"{base}/") else ""
    return to(request, f"{path}?{parts.query}" if parts.query else path, said, bad=bad)
