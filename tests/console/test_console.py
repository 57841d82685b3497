"""The console in a browser: every page in every look, every action, and who may do what."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Page, expect

from enrichment.domain.subjects import Kind
from enrichment.services import audit, dead_letters, standing
from enrichment.services.report import subject_report
from enrichment.services.tokens import Scope
from service.console.signing import TooMany, Tries
from tests.console.conftest import AXE, PASSWORD, Console
from tests.services.conftest import TRACK

PAGES = {
    "": "Overview",
    "charts": "Charts",
    "charts?span=24h": "Charts",
    "sources/alpha": "alpha",
    "subjects": "Subjects",
    "reviews": "Reviews",
    "reviews/1": "Who is Sasha?",
    "duplicates": "Duplicates",
    "letters": "Dead letters",
    "letters/1": "Letter 1",
    "schedules": "Schedules",
    "workers": "Workers",
    "keys": "API keys",
    "tokens": "Tokens",
    "audit": "Audit",
}
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
WORST = """async () => (await axe.run({resultTypes: ["violations"], iframes: false, preload: false})).violations
    .filter(found => ["serious", "critical"].includes(found.impact))
    .map(found => found.id + ": " + found.nodes.map(node => node.html).join(" | "))"""


def subject(console: Console, title: str = "Teardrop") -> str:
    ((id_,),) = console.bench.rows("SELECT id FROM tracks WHERE title = :title", title=title)
    return str(id_)


def follow(page: Page, link: str) -> None:
    """Go where a link leads, and be there: what is typed before the page's scripts have run is not searched for."""
    page.get_by_role("link", name=link).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(link)
    page.wait_for_load_state()


def told(console: Console) -> list[str]:
    return [f"{each['action']} {each['target']}: {each['outcome']}" for each in audit.entries(console.fleet)]


# --- how it looks ---------------------------------------------------------------------------------------------------


def is_accessible(page: Page) -> None:
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(WORST) == [], page.url


def test_every_page_in_every_look(console: Console) -> None:
    pages = {**PAGES, f"subjects/track/{subject(console)}": "Teardrop"}
    with console.context() as context:
        page = context.new_page()
        page.goto("sign-in")
        is_accessible(page)
        page = console.sign_in(context)
        for path, heading in pages.items():
            page.goto(path or "./")
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
            for width, scheme in LOOKS:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                # A contrast is of the colours, a size of the width: two of the four looks have all of either.
                if (width, scheme) in LOOKS[::3]:
                    is_accessible(page)


def test_charts_are_drawn(page: Page) -> None:
    page.goto("charts")

    calls = page.locator("figure", has_text="alpha")
    assert (calls.locator("path.curve").first.get_attribute("d") or "").count("L") > 40
    expect(calls.locator("path.limit").first).to_be_attached()
    expect(page.get_by_role("img", name=re.compile("^Throughput, lookups per minute: answered"))).to_be_visible()


# --- the overview ---------------------------------------------------------------------------------------------------


def test_the_overview_follows_the_truth_by_itself(console: Console, page: Page) -> None:
    row = page.locator("#glance tr", has_text="beta")
    expect(row).to_contain_text("idle")
    page.locator("#source-beta").focus()

    standing.pause(console.fleet, "beta", 300, "they asked us to", ours=False)
    expect(row).to_contain_text("paused")
    expect(row).to_contain_text("they asked us to")
    expect(page.locator("#live-status")).to_have_text("1 source is held up: beta")
    expect(page.locator("#source-beta")).to_be_focused()

    standing.resume(console.fleet, "beta")
    expect(row).to_contain_text("idle")


def test_a_source_is_paused_and_resumed(console: Console, page: Page) -> None:
    page.locator("#source-alpha").click()
    page.get_by_text("Pause it").click()
    page.get_by_label("Reason").fill("maintenance")
    page.get_by_role("button", name="Pause", exact=True).click()

    expect(page.get_by_role("status")).to_have_text("alpha is paused.")
    expect(page.locator("main")).to_contain_text("maintenance")
    assert console.fleet.limiter.now("alpha").paused_for > 290

    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("alpha is resumed")
    assert console.fleet.limiter.now("alpha").paused_for == 0
    assert told(console)[:2] == ["resume alpha: done", "pause alpha: done"]


# --- subjects -------------------------------------------------------------------------------------------------------


def test_subjects_are_found_while_one_types(page: Page) -> None:
    follow(page, "Subjects")
    search = page.get_by_label("Search")
    search.press_sequentially("massive attack tear")

    expect(page.locator("#results tbody tr")).to_have_count(1)
    expect(search).to_be_focused()
    expect(page).to_have_url(re.compile("q=massive"))

    page.get_by_role("link", name="Teardrop").click()
    findings = page.get_by_role("region", name="Findings by source")
    expect(findings.locator("tr", has_text="isrc")).to_contain_text("GBAAA9800322")
    expect(findings.get_by_role("columnheader", name="alpha")).to_be_visible()


def test_a_field_is_edited_locked_and_unlocked(console: Console, page: Page) -> None:
    page.goto(f"subjects/track/{subject(console)}")
    page.get_by_label("Field").select_option("bpm")
    page.get_by_label("Value").fill("79.5")
    page.get_by_role("button", name="Lock it").click()

    row = page.get_by_role("region", name="Findings by source").locator("tr", has=page.get_by_text("bpm", exact=True))
    expect(row.locator(".chosen")).to_contain_text("79.5")
    found = subject_report(console.fleet, Kind.TRACK, subject(console))
    assert found is not None
    assert found["fields"]["bpm"] == 79.5

    page.get_by_role("button", name="unlock bpm").click()
    expect(row.locator(".chosen")).to_contain_text("78")
    assert [line.split()[0] for line in told(console)[:2]] == ["unlock", "lock"]


def test_bad_values_are_told(console: Console, page: Page) -> None:
    page.goto(f"subjects/track/{subject(console)}")
    page.get_by_label("Field").select_option("bpm")
    page.get_by_label("Value").fill("quick")
    page.get_by_role("button", name="Lock it").click()

    expect(page.get_by_role("alert")).to_contain_text("bpm takes a value of type float")


def test_a_subject_is_asked_for_again(console: Console, page: Page) -> None:
    asked = len(console.upstream.asked)
    page.goto(f"subjects/track/{subject(console)}")
    page.get_by_role("button", name="Ask all sources again").click()

    expect(page.get_by_role("status")).to_contain_text("Asked again")
    console.bench.settle_down()
    assert len(console.upstream.asked) > asked


# --- reviews --------------------------------------------------------------------------------------------------------


def test_reviews_are_decided_with_keys(console: Console, page: Page) -> None:
    follow(page, "Reviews")
    page.get_by_role("link", name="Jeans").click()
    expect(page.locator("[data-keys]")).to_be_focused()
    expect(page.get_by_role("link", name="Listen at deezer").first).to_have_attribute("href", re.compile("listen.test"))
    first = page.url

    page.keyboard.press("n")
    expect(page).not_to_have_url(first)
    expect(page.locator("main")).to_contain_text("two are called Sasha")
    expect(page.locator("[data-keys]")).to_be_focused()
    page.keyboard.press("1")
    expect(page.get_by_role("status").first).to_have_text("Sasha: decided.")
    expect(page.locator("[data-keys]")).to_be_focused()
    page.keyboard.press("0")
    expect(page.get_by_role("status")).to_contain_text("none of them")
    expect(page.locator("main")).to_contain_text("Nothing is in doubt.")

    found = console.bench.rows("SELECT decision, chosen, decided_by FROM reviews ORDER BY id")
    assert [tuple(each) for each in found] == [
        ("chosen", "bristol", "token 1 (anna)"),
        ("none", None, "token 1 (anna)"),
    ]


# --- duplicates -----------------------------------------------------------------------------------------------------


def test_pairs_are_merged_and_rejected(console: Console, page: Page) -> None:
    follow(page, "Duplicates")
    pair = page.get_by_role("region").filter(has_text="The Artist")
    expect(pair).to_contain_text("same spotify_id: same")
    expect(pair.get_by_role("article").first).to_contain_text("deezer id")
    pair.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status")).to_contain_text("rejected")

    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("status")).to_contain_text("merged")
    expect(page.locator("main")).to_contain_text("No pair is proposed.")
    page.get_by_role("link", name="Merged").click()
    expect(page.get_by_role("region")).to_contain_text("Merged by token 1 (anna)")
    expect(page.get_by_role("article").filter(has_text="kept")).to_have_count(1)

    kept = console.bench.rows("SELECT name FROM performers WHERE spotify_id = 'same' ORDER BY name")
    assert [each.name for each in kept] == ["Prince", "The Artist"]
    assert len(console.bench.rows("SELECT FROM performers WHERE spotify_id = 'west'")) == 1
    assert [line.split()[0] for line in told(console)[:2]] == ["merge", "reject"]


# --- dead letters ---------------------------------------------------------------------------------------------------


def test_letters_are_filtered_edited_replayed_and_dropped(console: Console, page: Page) -> None:
    follow(page, "Dead letters")
    expect(page.locator("#results tbody tr")).to_have_count(3)
    page.get_by_label("Error").fill("nothing like it")
    expect(page.locator("#results")).to_contain_text("No letter fits.")
    page.get_by_label("Error").fill("odd")
    expect(page.locator("#results tbody tr")).to_have_count(3)

    page.get_by_role("link", name="1", exact=True).click()
    editor = page.get_by_label("A replay asks")
    editor.fill(editor.input_value().replace("Angel", "Angel (Remix)"))
    page.get_by_role("button", name="Save the edit").click()
    expect(page.locator(".diff .old")).to_contain_text('"title": "Angel"')
    expect(page.locator(".diff .new")).to_contain_text('"title": "Angel (Remix)"')

    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("status")).to_have_text("Replayed: 1.")
    console.bench.settle_down()
    assert ("track", [{"artist_name": "Massive Attack", "title": "Angel (Remix)"}]) in console.upstream.asked

    page.goto("letters")
    page.get_by_label("Letter 2").check()
    page.get_by_role("button", name="Drop ticked").click()
    expect(page.get_by_role("status")).to_have_text("Dropped: 1.")
    page.get_by_role("button", name="Replay all found").click()
    expect(page.get_by_role("status")).to_have_text("Replayed: 1.")
    assert dead_letters.letters(console.fleet) == []


def test_an_edit_that_cannot_be_asked_is_told_beside_it(console: Console, http: Callable[..., httpx.Client]) -> None:
    console.upstream.answers["track"] = "odd"
    console.bench.track("Group Four")
    console.bench.settle_down()
    console.upstream.answers["track"] = TRACK
    letter, *_ = dead_letters.letters(console.fleet)
    client = signed_in(console, http)

    for given, said in (("{", "This is no JSON"), ("[]", "must be an object"), ("{}", "needs artist_name, title")):
        answer = client.post(f"/letters/{letter['id']}/edit", data={"csrf": csrf(client), "given": given})
        assert answer.status_code == 422
        assert said in answer.text


# --- schedules ------------------------------------------------------------------------------------------------------


def test_schedules_are_paused_resumed_and_run(console: Console, page: Page) -> None:
    follow(page, "Schedules")
    row = page.locator("tr", has_text="artwork_backfill")
    page.get_by_role("button", name="Pause: artwork_backfill").click()
    expect(row).to_contain_text("paused")
    page.get_by_role("button", name="Resume: artwork_backfill").click()
    expect(row).not_to_contain_text("paused")
    page.get_by_role("button", name="Run now: artwork_backfill").click()
    expect(row).to_contain_text("under way")
    page.get_by_role("button", name="Run now: artwork_backfill").click()
    expect(page.get_by_role("alert")).to_contain_text("a run of artwork_backfill is open already")


# --- keys and tokens ------------------------------------------------------------------------------------------------


def test_keys_are_set_tried_sealed_anew_and_removed(console: Console, page: Page) -> None:
    follow(page, "API keys")
    page.get_by_label("Store").fill("secret-key-of-alpha-1234")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("status")).to_contain_text("ALPHA_KEY is stored")
    expect(page.locator("main")).to_contain_text("ends in …1234")
    assert "secret-key" not in page.content()

    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status")).to_contain_text("ALPHA_KEY opens alpha")
    page.get_by_role("button", name="Seal all anew").click()
    expect(page.get_by_role("status")).to_have_text("Sealed with the first master key: 1.")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("main")).to_contain_text("not set")
    assert all("secret-key" not in str(each) for each in audit.entries(console.fleet))


def test_tokens_are_made_shown_once_and_revoked(console: Console, page: Page) -> None:
    follow(page, "Tokens")
    page.get_by_label("Name").fill("ben")
    page.get_by_label("operate").check()
    page.get_by_role("button", name="Make").click()
    secret = page.locator(".secret").inner_text()
    assert secret.startswith("ln_")

    with console.context() as context:
        theirs = console.sign_in(context, secret)
        expect(theirs.get_by_role("link", name="API keys")).to_have_count(0)
        page.goto("tokens")
        assert secret not in page.content()
        page.get_by_role("button", name="Revoke ben").click()
        expect(page.get_by_role("status")).to_contain_text("is revoked")
        theirs.reload()
        expect(theirs.get_by_label("Access token")).to_be_visible()


# --- who may do what ------------------------------------------------------------------------------------------------


def csrf(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', client.get("/sign-in").text)
    assert found is not None
    return found[1]


def signed_in(console: Console, http: Callable[..., httpx.Client], token: str = "") -> httpx.Client:
    client = http()
    client.get("/sign-in")
    done = client.post("/sign-in", data={"csrf": csrf(client), "token": token or console.token})
    assert done.headers["location"] == "/console/", done.text
    return client


def test_signing_in_by_password_and_out(console: Console) -> None:
    with console.context() as context:
        page = context.new_page()
        page.goto("subjects?kind=album")
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in with a password").click()
        expect(page.get_by_role("alert")).to_contain_text("opens nothing here")

        page.goto("subjects?kind=album")
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in with a password").click()
        expect(page).to_have_url(re.compile(r"/subjects\?kind=album$"))
        (cookie,) = [each for each in context.cookies() if each["name"] == "linernotes"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/console")

        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("status")).to_have_text("You are signed out.")
        context.clear_cookies()
        context.add_cookies([cookie])  # type: ignore[list-item]  # as it was
        page.goto("subjects")
        expect(page.get_by_label("Access token")).to_be_visible()


ACTIONS = {
    "sources/alpha/pause": {"minutes": "5"},
    "letters/drop": {"all": "all"},
    "subjects/track/x/lock": {"field": "bpm"},
    "schedules/purge/pause": {},
    "reviews/1": {"candidate": "bristol"},
    "duplicates/1": {"decision": "merge"},
    "keys/ALPHA_KEY": {"value": "x"},
    "tokens": {"name": "mine", "scope": "admin"},
}


@pytest.mark.parametrize("path", ACTIONS)
def test_nobody_acts_without_the_scope_or_from_another_site(
    console: Console, http: Callable[..., httpx.Client], path: str
) -> None:
    reader, admin = signed_in(console, http, console.made(Scope.READ)), signed_in(console, http)
    before = told(console)

    assert reader.post(path, data={"csrf": csrf(reader), **ACTIONS[path]}).status_code == 403
    assert admin.post(path, data=ACTIONS[path]).status_code == 403
    assert admin.post(path, data={"csrf": csrf(reader), **ACTIONS[path]}).status_code == 403
    assert http().post(path, data=ACTIONS[path]).status_code in (303, 403)
    assert told(console) == before


def test_readers_see_no_way_to_act(console: Console, http: Callable[..., httpx.Client]) -> None:
    reader = signed_in(console, http, console.made(Scope.READ))

    for path in (
        "/",
        "/sources/alpha",
        f"/subjects/track/{subject(console)}",
        "/letters",
        "/reviews/1",
        "/duplicates",
        "/schedules",
    ):
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', reader.get(path).text)
        assert forms == ["/console/sign-out"] or path == "/letters" or "/reviews/" in path, path
        assert "<button class" not in reader.get(path).text.replace('<button class="plain">Sign out', ""), path
    assert reader.get("/keys").status_code == 403


def test_guessing_a_password_is_soon_over(console: Console) -> None:
    tries = Tries(most=1)
    assert tries.sign_in(console.fleet, "nobody", "guess") is None
    with pytest.raises(TooMany):
        tries.sign_in(console.fleet, "nobody", "guess")


def test_what_is_not_there_is_told_as_a_page(console: Console, http: Callable[..., httpx.Client]) -> None:
    client = signed_in(console, http)

    for path in ("/nothing", "/letters/99999", "/sources/nobody", "/subjects/track/nobody"):
        answer = client.get(path)
        assert (answer.status_code, "<h1" in answer.text) == (404, True), path
    assert client.get("/letters?state=lost").status_code == 422


def test_scripts_come_from_here_alone(console: Console, http: Callable[..., httpx.Client]) -> None:
    client = signed_in(console, http)

    for path in ("/", "/letters", "/nothing"):
        answer: Any = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=\"/console/static/)|\sstyle=|\son\w+=", answer.text)
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_links_lead_nowhere_else(http: Callable[..., httpx.Client], console: Console) -> None:
    for place in ("//evil.test", "https://evil.test", "/\\evil.test"):
        client = http()
        client.get("/sign-in")
        form = {"csrf": csrf(client), "token": console.token, "next": place}
        assert client.post("/sign-in", data=form).headers["location"] == "/console/"
