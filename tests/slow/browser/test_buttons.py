"""What is done with a version by its buttons, in a browser with and without scripts."""

import time
import uuid

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.sender import PATIENCE
from tests.slow.browser.conftest import Site

SOON = 60_000  # milliseconds: a worker on a slow machine
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def model() -> str:
    return f"fares-{uuid.uuid4().hex[:8]}"


def button(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def in_production(site: Site, model: str, version: int) -> None:
    site.trained(model, rmse=6.5 - version / 10)
    site.sender.slash(f"approve {model} {version}")
    until = time.monotonic() + PATIENCE
    while version not in champions(site, model):
        assert time.monotonic() < until
        time.sleep(0.3)


def champions(site: Site, model: str) -> list[int]:
    aliases = site.mlflow.get_registered_model(model).aliases
    return [int(number) for alias, number in aliases.items() if alias == "champion"]


def test_a_version_is_described_demoted_and_asked_for_again(page: Page, site: Site, model: str):
    site.trained(model, rmse=6.5)
    page.goto(f"/models/{model}")
    page.get_by_role("link", name="version 1", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{model} version 1")
    expect(page.locator("#version .lead")).to_contain_text("Holds")
    page.get_by_label("Tags (one KEY=VALUE a line)").fill("risk=low")
    button(page, "Describe")
    expect(page.locator("#sent")).to_contain_text("was described by Ada", timeout=SOON)
    expect(page.locator("#version .facts")).to_contain_text("risk low", timeout=SOON)
    button(page, "Demote")
    expect(page.locator("#sent")).to_contain_text("is in None", timeout=SOON)
    expect(page.locator("#version .lead")).to_contain_text("Holds nothing", timeout=SOON)
    button(page, "Ask again for Staging")
    expect(page.locator("#version .lead")).to_contain_text("Staging", timeout=SOON)
    assert site.mlflow.get_model_version(model, "1").tags["risk"] == "low"


def test_a_rollback_is_shown_first_and_then_done(page: Page, site: Site, model: str):
    for version in (1, 2):
        in_production(site, model, version)
    page.goto(f"/models/{model}/versions/2")
    button(page, "Plan the rollback of Production")
    expect(page.locator("#plan")).to_contain_text("version 2 leaves Production and @champion")
    expect(page.locator("#plan")).to_contain_text("version 1 comes back")
    page.get_by_label("Reason").fill("wrong fares")
    button(page, "Roll Production back")
    expect(page.locator("#sent")).to_contain_text("was rolled back in Production from version 2 to", timeout=SOON)
    assert champions(site, model) == [1]


def test_a_page_that_is_old_by_now_demotes_nobody_without_a_script_too(browser: Browser, site: Site, model: str):
    in_production(site, model, 1)
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/models/{model}/versions/1")
    in_production(site, model, 2)
    button(page, "Demote")
    expect(page.get_by_role("heading", level=1)).to_have_text("It has changed since it was shown")
    expect(page.locator("#main")).to_contain_text(f"nothing was done: {model} version 1 has changed")
    page.get_by_role("link", name="Back to the page").click()
    expect(page.locator("#version .lead")).not_to_contain_text("Production")
    assert champions(site, model) == [2]
    context.close()
