"""`make screenshots`: a simulated fleet at work, and pictures of its console in docs/images."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from enrichment.embedded.server import poll
from simulator.catalogue import small_requests
from tests.support import ROOT

IMAGES = ROOT / "docs" / "images"
TRACKS = 600
LOOKS = {"light": 1440, "dark": 1440}
PAGES = {"overview": "./", "subjects": "subjects?kind=track&status=completed", "charts": "charts"}


@contextmanager
def fleet(data: Path) -> Iterator[dict[str, str]]:
    """The embedded fleet against simulated upstreams. Yields its addresses."""
    command = [sys.executable, "-m", "cli.main", "up", "--simulate", "--speed", "2", "--port", "0", "--json"]
    with subprocess.Popen([*command, "--data", str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=60)


def work(http: httpx.Client) -> None:
    """Tracks from all over the catalogue, of which some are done when this returns; one source is paused."""
    whole = small_requests()
    chosen = [whole[number * len(whole) // TRACKS] for number in range(TRACKS)]
    items = [{"artist_name": each["artist"].split(", ")[0], "track_title": each["title"]} for each in chosen]
    http.post("/enrich/batch", params={"wait": 0}, json=items).raise_for_status()
    http.post("/sources/discogs/pause", json={"seconds": 600, "reason": "they asked us to"}).raise_for_status()
    poll(lambda: http.get("/stats").json()["track_stats"]["statuses"]["completed"] > TRACKS // 20, 120)


def pictures(page: Page, scheme: str) -> None:
    """Of the main pages."""
    for name, path in PAGES.items():
        page.goto(path)
        if name == "overview":
            page.wait_for_timeout(4000)  # rates need some seconds
        page.screenshot(path=IMAGES / f"{name}-{scheme}.png")
    page.goto(PAGES["subjects"])
    page.locator("#results th a").first.click()
    page.locator(".sayings").wait_for()
    page.screenshot(path=IMAGES / f"subject-{scheme}.png")


def main() -> None:
    """The program."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium on this machine; Debian's package has it")
    IMAGES.mkdir(exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="linernotes-pictures-")).resolve()
    data.chmod(0o711)  # as root, PostgreSQL runs as somebody else
    try:
        with fleet(data) as where, sync_playwright() as playwright:
            headers = {"Authorization": f"Bearer {where['token']}"}
            with httpx.Client(base_url=where["service"], headers=headers, timeout=60, trust_env=False) as http:
                work(http)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for scheme, width in LOOKS.items():
                context = browser.new_context(
                    base_url=f"{where['service']}/console/",
                    viewport={"width": width, "height": 1000},
                    color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
                )
                page = context.new_page()
                page.goto("sign-in")
                page.get_by_label("Access token").fill(where["token"])
                page.get_by_role("button", name="Sign in", exact=True).click()
                page.get_by_role("heading", name="Overview").wait_for()
                pictures(page, scheme)
            browser.close()
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
