"""Every page by day and by night, on a desk and on a phone: axe finds no serious fault, and nothing sticks out.

So do those of who is not signed in, may not do something, or is nobody of ours.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.slow.browser.conftest import DESKTOP, PHONE, Elsewhere, Site
from tests.slow.browser.signing import refused_form, sign_in

AXE = (Path(__file__).parent / "axe-4.14.1.min.js").read_text(encoding="utf-8")  # https://github.com/dequelabs/axe-core
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FAULTS = ("serious", "critical")
MODEL = "taxi-fares"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def paths(site: Site) -> list[str]:
    """Of every page, with something on it."""
    event = site.trained(MODEL, rmse=6.5)
    site.trained(MODEL, rmse=8.1)
    failed = site.evaluated(MODEL, 99)
    site.sender._post("ci", b"{}", {"Content-Type": "application/json"})
    asked = next(fact["details"]["promotion"] for fact in facts(event) if fact["type"] == "promotion.awaiting_approval")
    lists = ["/", "/events", "/promotions", "/models", "/dead", "/rejections", "/policy", "/audit", "/events?actor=x"]
    one = [f"/events/{event['id']}", f"/promotions/{asked}", f"/models/{MODEL}", f"/dead/{failed['tasks'][0]['id']}"]
    return [*lists, *one, f"/models/{MODEL}/versions/1", f"/models/{MODEL}/compare?a=1&b=2", "/events/evt_0"]


def facts(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [fact for task in event["tasks"] for fact in (task["outcome"] or {}).get("facts", [])]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_has_a_serious_fault(browser: Browser, site: Site, paths: list[str], size: Any, scheme: Any):
    # axe is put in from outside, which the pages' own policy would not allow.
    context = browser.new_context(base_url=site.url, viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    assert faulty(page, paths) == {}
    context.close()


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_nor_has_one_of_who_signs_in(elsewhere: Elsewhere, paths: list[str], size: Any, scheme: Any):
    looks = {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
    page = elsewhere("Ada", **looks).new_page()
    assert faulty(page, ["/", "/policy", "/signin/callback?state=x&code=x"]) == {}
    sign_in(page)
    assert faulty(page, paths) == {}


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")], ids=["desktop", "phone"])
def test_nor_has_one_of_who_may_not(elsewhere: Elsewhere, paths: list[str], size: Any, scheme: Any):
    looks = {"viewport": size, "color_scheme": scheme, "bypass_csp": True}
    nobody = elsewhere("Eve", **looks).new_page()
    sign_in(nobody)
    assert nobody.locator("h1").inner_text() == "Not granted"
    assert faults(nobody) == []
    viewer = elsewhere("Vera", **looks).new_page()
    sign_in(viewer)
    one = [path for path in paths if path.startswith(("/promotions/", "/dead/", "/events/evt"))]
    assert faulty(viewer, one) == {}
    viewer.goto(next(path for path in one if path.startswith("/promotions/")))
    refused_form(viewer, "/approve")
    assert viewer.locator("h1").inner_text() == "Not granted"
    assert faults(viewer) == []


def faulty(page: Page, paths: list[str]) -> dict[str, list[str]]:
    """Those with faults, and which."""
    found = {}
    for path in paths:
        page.goto(path)
        found[path] = faults(page)
    return {path: some for path, some in found.items() if some}


def faults(page: Page) -> list[str]:
    """Of the page that is shown."""
    page.evaluate(AXE)
    options = {"runOnly": {"type": "tag", "values": RULES}}
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    told = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in FAULTS]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return told + ([f"{wide} pixels stick out"] if wide > 0 else [])
