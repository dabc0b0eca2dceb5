"""Getting about as a person does: keys, find, times, print, /docs and a sign-in by a link, on a desk and a phone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from registrar.config.key_generation import new_link_code
from registrar.events.event import Actor
from registrar.ledger import sign_in_links
from registrar.ledger.engine import now
from tests.dashboard.conftest import Lived, house, lived
from tests.slow.browser.conftest import DESKTOP, PHONE, heard
from tests.slow.browser.test_looks import faults

__all__ = ["house", "lived"]

SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])


@dataclass(frozen=True)
class Served:
    """A receiver with a past at an address of this machine, where everybody is Ada until they sign in."""

    browser: Browser
    lived: Lived
    url: str

    @contextmanager
    def context(self, **more: Any) -> Iterator[BrowserContext]:
        context = self.browser.new_context(**{"base_url": self.url, "viewport": DESKTOP, **more})
        yield context
        context.close()

    @contextmanager
    def page(self, **more: Any) -> Iterator[Page]:
        """A tab whose console must stay silent: what the CSP forbids is said there."""
        with self.context(**more) as context:
            page = context.new_page()
            said = heard(page)
            yield page
            assert said == []

    def link(self, person: str) -> str:
        code = new_link_code()
        made = sign_in_links.new_link(code, person, at=now(), lasts=timedelta(minutes=15))
        with self.lived.house.ledger.write() as connection:
            sign_in_links.create(connection, made, Actor("local:ops", "ops on host"))
        return f"{self.url}/signin/link#{code}"


@pytest.fixture
def served(browser: Browser, lived: Lived) -> Iterator[Served]:
    server = make_server("127.0.0.1", 0, lived.house.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Served(browser, lived, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_lists_are_reached_by_two_keys(served: Served):
    with served.page() as page:
        page.goto("/policy")
        for key, path in (("m", "/models"), ("p", "/promotions"), ("e", "/events"), ("o", "/")):
            page.keyboard.press("g")
            page.keyboard.press(key)
            page.wait_for_url(f"{served.url}{path}")


def test_a_slash_goes_to_the_box_and_what_is_typed_there_is_no_shortcut(served: Served):
    with served.page() as page:
        page.goto("/policy")
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("gm?/a")
        expect(page.get_by_role("searchbox")).to_have_value("gm?/a")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("searchbox").fill("taxi 1")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{served.url}/models/taxi/versions/1")


def test_a_goes_to_the_decision_and_decides_nothing(served: Served):
    with served.page() as page:
        page.goto(f"/promotions/{served.lived.promotion}")
        page.keyboard.press("a")
        assert page.evaluate("document.activeElement.closest('#decide') !== null")
        expect(page.locator("#sent")).to_have_count(0)
        page.goto("/models")
        page.keyboard.press("a")
        assert page.evaluate("document.activeElement === document.body")


def test_the_help_opens_and_closes_by_keys_and_by_its_button(served: Served):
    with served.page() as page:
        page.goto("/")
        page.keyboard.press("?")
        sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
        expect(sheet).to_be_visible()
        assert page.evaluate("document.activeElement.closest('dialog') !== null")
        page.keyboard.press("g")
        page.keyboard.press("m")
        assert page.url == f"{served.url}/"
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)
        opener = page.get_by_role("button", name="Keyboard shortcuts")
        opener.click()
        expect(sheet).to_be_visible()
        sheet.get_by_role("button", name="Close").click()
        expect(sheet).to_have_count(0)
        expect(opener).to_be_focused()


def test_shortcuts_are_turned_off_for_good_and_on_again(served: Served):
    """https://www.w3.org/WAI/WCAG22/Understanding/character-key-shortcuts"""
    with served.page() as page:
        page.goto("/policy")
        page.keyboard.press("?")
        page.get_by_label("Use these shortcuts in this browser").uncheck()
        page.keyboard.press("Escape")
        page.reload()
        for key in ("?", "/", "g", "m"):
            page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.url == f"{served.url}/policy"
        assert page.evaluate("document.activeElement === document.body")
        page.get_by_role("button", name="Keyboard shortcuts").click()
        page.get_by_label("Use these shortcuts in this browser").check()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()


def test_keys_of_the_browser_stay_the_browsers(served: Served):
    with served.page() as page:
        page.goto("/policy")
        for keys in ("Control+/", "Alt+g", "Meta+/"):
            page.keyboard.press(keys)
        assert page.evaluate("document.activeElement === document.body")


def test_times_are_shown_as_chosen_and_the_choice_stays(served: Served):
    with served.page(timezone_id="America/New_York") as page:
        page.goto("/events")
        time = page.locator("td time").first
        expect(time).to_contain_text("ago")
        exact = str(time.get_attribute("datetime"))
        utc, local = (
            f"{exact[:10]} {exact[11:19]} UTC",
            page.evaluate(
                "at => new Intl.DateTimeFormat('sv', {hour: '2-digit'}).format(new Date(at))",
                exact,
            ),
        )
        assert utc in str(time.get_attribute("title"))
        page.get_by_label("Times").select_option("utc")
        expect(time).to_have_text(utc)
        assert f" {local}:" in str(time.get_attribute("title"))
        page.get_by_label("Times").select_option("local")
        expect(time).to_contain_text(f" {local}:")
        expect(time).to_have_attribute("title", utc)
        page.goto("/promotions")
        expect(page.locator("main time").first).not_to_contain_text("ago")
        page.get_by_label("Times").select_option("ago")
        expect(page.locator("main time").first).to_contain_text("ago")


def test_times_that_come_in_later_are_shown_as_chosen_too(served: Served):
    with served.page() as page:
        page.goto("/events")
        page.get_by_label("Times").select_option("utc")
        rows = page.locator("tbody tr").count()
        served.lived.house.happened("training_run.failed", {"model": "later"})
        expect(page.locator("tbody tr")).to_have_count(rows + 1)
        expect(page.locator("td time").first).to_contain_text("UTC")


def test_without_a_script_all_is_reached_and_times_are_in_utc(served: Served):
    with served.context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/events")
        assert str(page.locator("td time").first.get_attribute("title")).endswith(" UTC")
        expect(page.locator("#settings")).to_be_hidden()
        page.get_by_role("searchbox").fill("taxi 2")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("taxi version 2")
        page.goto("/docs")
        page.locator("summary", has_text="Events").click()
        page.get_by_role("link", name="training_run.finished", exact=True).first.click()
        expect(page.locator("[id='training_run.finished']")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_print_is_black_on_white_and_has_what_an_audit_needs(served: Served, scheme: Any):
    with served.page(color_scheme=scheme) as page:
        page.goto(f"/promotions/{served.lived.promotion}")
        page.emulate_media(media="print", color_scheme=scheme)
        for gone in (".top nav", ".find", "footer", "#decide button"):
            expect(page.locator(gone).first).to_be_hidden()
        colours = "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
        assert page.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        after = "selector => getComputedStyle(document.querySelector(selector), '::after').content"
        assert "/models/taxi" in page.evaluate(after, "main a[href='/models/taxi']")
        assert "UTC" in page.evaluate(after, "main time[title]")
        assert page.evaluate("getComputedStyle(document.querySelector('main tr')).breakInside") == "avoid"


@SIZES
def test_a_link_signs_in_by_one_click_and_leaves_no_code_in_the_address(served: Served, size: Any):
    asked: list[str] = []
    with served.context(viewport=size) as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer')}"))
        link = served.link("bob")
        page.goto(link)
        button = page.get_by_role("button", name="Sign in as Bob")
        expect(button).to_be_in_viewport()
        assert "#" not in page.url
        button.click()
        expect(page.locator(".who")).to_contain_text("Bob · approver · signed in by a link")
        code = link.partition("#")[2]
        assert [line for line in asked if code in line] == []
        second = served.browser.new_context(base_url=served.url).new_page()
        second.goto(link)
        expect(second.locator("main")).to_contain_text("the link was used already")
        second.context.close()
        page.goto("/")
        page.get_by_role("button", name="Sign out").click()
        expect(page.locator(".who")).to_contain_text("Ada Approver")


def test_a_link_that_a_preview_opens_is_still_good(served: Served):
    """Such as one that runs scripts: it never presses the button."""
    link = served.link("bob")
    with served.context() as preview:
        preview.new_page().goto(link)
        preview.pages[0].wait_for_load_state("networkidle")
    with served.page() as page:
        page.goto(link)
        page.get_by_role("button", name="Sign in as Bob").click()
        expect(page.locator(".who")).to_contain_text("signed in by a link")


def test_a_link_works_without_a_script(served: Served):
    with served.context(java_script_enabled=False) as context:
        page = context.new_page()
        link = served.link("bob")
        page.goto(link)
        page.get_by_label("The link, or what stands behind its #").fill(link)
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Sign in as Bob").click()
        expect(page.locator(".who")).to_contain_text("signed in by a link")


@SIZES
def test_the_api_is_read_with_contents_and_a_filter(served: Served, size: Any):
    with served.page(viewport=size) as page:
        page.goto("/docs")
        expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.get_by_label("Filter").fill("drop dead")
        shown = page.locator(".entries section:visible")
        expect(page.get_by_role("status").first).to_be_attached()
        expect(page.locator("#reference-count")).to_contain_text(" of ")
        expect(shown.first).to_contain_text("drop")
        assert 0 < shown.count() < 10
        page.locator(".contents li:visible a[href$='-drop']").first.click()
        expect(page.locator("section:target")).to_be_in_viewport()
        page.get_by_label("Filter").fill("no such thing at all")
        expect(page.locator("#reference-count")).to_contain_text("0 of ")
        expect(shown).to_have_count(0)


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_is_on_these_pages(served: Served, size: Any, scheme: Any):
    # axe is put in from outside, which the pages' own policy would not allow.
    with served.context(viewport=size, color_scheme=scheme, bypass_csp=True) as context:
        page, found = context.new_page(), {}
        for path in ("/find", "/find?q=taxxi", "/find?q=evt_", "/events/evt_0", "/modells", "/docs", "/signin/link"):
            page.goto(path)
            found[path] = faults(page)
        page.goto(served.link("bob"))
        page.get_by_role("button", name="Sign in as Bob").wait_for()
        found["link"] = faults(page)
        page.goto("/events")
        page.keyboard.press("?")
        found["help"] = faults(page)
        assert {path: some for path, some in found.items() if some} == {}


def test_touch_targets_of_these_pages_are_large_enough_on_a_phone(served: Served):
    with served.page(viewport=PHONE, is_mobile=True, has_touch=True) as page:
        page.goto("/find")
        for target in (page.locator("#q"), page.get_by_label("Times"), page.locator("#keys-help")):
            assert (target.bounding_box() or {"height": 0})["height"] >= 44
