"""Every page by day and by night, on a desk and on a phone: axe finds no serious fault, and nothing sticks out."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DESKTOP, PHONE, Site

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
    failed = site.happened("model_version.describe", model=MODEL, version=99, description="x")
    site.sender._post("ci", b"{}", {"Content-Type": "application/json"})
    asked = next(fact["details"]["promotion"] for fact in facts(event) if fact["type"] == "promotion.awaiting_approval")
    lists = ["/", "/events", "/promotions", "/models", "/dead", "/rejections", "/policy", "/audit", "/events?actor=x"]
    one = [f"/events/{event['id']}", f"/promotions/{asked}", f"/models/{MODEL}", f"/dead/{failed['tasks'][0]['id']}"]
    return [*lists, *one, "/events/evt_0"]


def facts(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [fact for task in event["tasks"] for fact in (task["outcome"] or {}).get("facts", [])]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_has_a_serious_fault(browser: Browser, site: Site, paths: list[str], size: Any, scheme: Any):
    # axe is put in from outside, which the pages' own policy would not allow.
    context = browser.new_context(base_url=site.url, viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    assert {path: found for path in paths if (found := faults(page, path))} == {}
    context.close()


def faults(page: Page, path: str) -> list[str]:
    page.goto(path)
    page.evaluate(AXE)
    options = {"runOnly": {"type": "tag", "values": RULES}}
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    told = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in FAULTS]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return told + ([f"{wide} pixels stick out"] if wide > 0 else [])
