"""The page of a model, as a person sees it first: what is decisive needs no scrolling, on a desk and on a phone."""

import uuid
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.slow.browser.conftest import PHONE, Site
from tests.slow.browser.shots import in_production
from tests.slow.browser.test_looks import faults

_RIGHT, _EDGE = "one => one.parentNode.getBoundingClientRect().right", "one => one.getBoundingClientRect().right"
DESK = {"width": 1280, "height": 800}
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def model(site: Site) -> str:
    """Version 1 in Production, 2 in Staging and asked for, 3 held back."""
    name = f"fares-{uuid.uuid4().hex[:8]}"
    site.trained(name, 6.9)
    site.sender.slash(f"approve {name} 1")
    in_production(site, 1, name)
    site.trained(name, 6.2)
    site.trained(name, 8.1)
    return name


def opened(browser: Browser, site: Site, model: str, size: Any, **more: Any) -> Page:
    # axe is put in from outside, which the pages' own policy would not allow.
    page = browser.new_context(base_url=site.url, viewport=size, bypass_csp=True, **more).new_page()
    page.goto(f"/models/{model}")
    expect(page.locator("h1")).to_have_text(model)
    return page


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_who_holds_production_and_staging_is_seen_without_scrolling(
    browser: Browser, site: Site, model: str, size: Any
):
    page = opened(browser, site, model, size)
    for stage, version, how in (("production", 1, "approved by Ada"), ("staging", 2, "automatic")):
        card = page.locator(f"#target-{stage}")
        for found in (
            card.get_by_role("link", name=f"version {version}", exact=True).first,
            card.locator("time").first,
            card.get_by_text(how).first,
            card.locator(".state").first,
        ):
            box = found.bounding_box() or {"y": 9999, "height": 0}
            assert box["y"] + box["height"] <= size["height"], (stage, found.inner_text())
    assert page.evaluate("window.scrollY") == 0
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_and_compare_have_no_serious_fault(browser: Browser, site: Site, model: str, size: Any, scheme: Any):
    page = opened(browser, site, model, size, color_scheme=scheme)
    for details in page.locator("details").all():
        details.locator("summary").click()
    assert faults(page) == []
    page.goto(f"/models/{model}/compare?a=1&b=2")
    expect(page.locator("#compared")).to_contain_text("better")
    assert faults(page) == []
    page.context.close()


def test_a_phone_shows_the_newest_end_of_the_chart_and_of_the_timeline(browser: Browser, site: Site, model: str):
    page = opened(browser, site, model, PHONE)
    for name in ("rmse over versions", "Timeline"):
        region = page.get_by_role("region", name=name)
        region.scroll_into_view_if_needed()
        wide, shown = region.evaluate("one => [one.scrollWidth, one.clientWidth]")
        assert wide > shown, name
        newest = "version 3:" if name != "Timeline" else "until now"
        ends = region.locator("svg title", has_text=newest).first.evaluate(_RIGHT)
        assert region.evaluate("one => one.getBoundingClientRect().left") < ends <= region.evaluate(_EDGE), name
    page.context.close()


def test_two_versions_are_compared_from_the_page_of_the_model_and_in_mlflow(browser: Browser, site: Site, model: str):
    page = opened(browser, site, model, DESK)
    form = page.get_by_role("form", name="Compare two versions")
    form.get_by_label("Compare version").select_option("1")
    form.get_by_label("with version").select_option("2")
    form.get_by_role("button", name="Compare").click()
    expect(page.locator("h1")).to_contain_text("version 1 and version 2")
    row = page.get_by_role("region", name="Metrics").get_by_role("row", name="rmse")
    expect(row).to_contain_text("better")
    page.get_by_role("link", name="Compare both versions in MLflow").click()
    expect(page.get_by_text("rmse").first).to_be_visible()
    page.context.close()
