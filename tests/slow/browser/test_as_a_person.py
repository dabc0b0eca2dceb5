"""What people come to the dashboard for, done as they do it: by looking, clicking and typing."""

import re
import uuid

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.slow.browser.conftest import Site

SOON = 60_000  # milliseconds: a worker on a slow machine
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def model() -> str:
    return f"taxi-{uuid.uuid4().hex[:8]}"


def test_who_sits_at_the_machine_is_signed_in_and_told_so(page: Page):
    page.goto("/")
    expect(page.locator(".who")).to_contain_text("Ada · operator · signed in from this machine (loopback)")
    expect(page.locator("#live")).to_have_text("live")


def test_an_event_is_found_and_says_why_a_gate_failed(page: Page, site: Site, model: str):
    site.trained(model, rmse=8.1)
    page.goto("/events")
    page.get_by_label("Model", exact=True).fill(model)
    page.get_by_label("Type").select_option("training_run.finished")
    page.get_by_role("button", name="Search").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name="training_run.finished").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(model)
    expect(page.locator("#outcome")).to_contain_text("was held back from Staging: rmse 8.1 is not < 7")
    page.locator(".facts").get_by_role("link", name=model).first.click()
    expect(page.locator("#model")).to_contain_text("rmse 8.1 is not < 7")


def test_a_promotion_is_approved_and_its_end_shows_without_a_reload(page: Page, site: Site, model: str):
    site.trained(model, rmse=6.5)
    page.goto("/")
    row = page.locator(".model-rows tr", has_text=model)
    expect(row).to_contain_text("1 more of leads for version 1 to Production")
    row.get_by_role("link", name="version 1 waits for you").click()
    expect(page.locator(".lead .state")).to_have_text("awaiting approval")
    page.get_by_label("Reason (optional)").first.fill("looks right")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#standing .lead .state")).to_have_text("promoted", timeout=SOON)
    expect(page.locator("#sent")).to_contain_text("was approved by Ada", timeout=SOON)
    expect(page.locator("#promotion")).to_contain_text("looks right")
    assert site.mlflow.get_model_version_by_alias(model, "champion").version == "1"


def test_a_stage_changes_on_a_page_that_is_open(page: Page, site: Site, model: str):
    site.trained(model, rmse=6.5)
    page.goto(f"/models/{model}")
    expect(page.locator("#target-production .target-version")).to_have_count(0)
    expect(page.locator("#live")).to_have_text("live")
    site.sender.slash(f"approve {model} 1")
    expect(page.locator("#target-production .target-version")).to_contain_text("version 1", timeout=SOON)


def test_a_promotion_is_rejected_with_a_reason(page: Page, site: Site, model: str):
    site.trained(model, rmse=6.5)
    page.goto("/promotions")
    page.get_by_role("link", name=f"{model} version 1 to Production").first.click()
    form = page.locator("form", has=page.get_by_role("button", name="Reject"))
    form.get_by_label("Reason").fill("not on a Friday")
    form.get_by_role("button", name="Reject").click()
    expect(page.locator("#standing .lead")).to_contain_text("rejected", timeout=SOON)
    expect(page.locator("#promotion")).to_contain_text("not on a Friday")


def test_a_dead_letter_is_tried_again_once_it_can_be_done(page: Page, site: Site, model: str):
    failed = site.evaluated(model, 1)
    assert failed["state"] == "failed"
    page.goto("/")
    page.locator("#dead-live").get_by_role("link", name=re.compile(model)).click()
    expect(page.locator("#letter .lead .state")).to_have_text("failed")
    site.trained(model, rmse=8.1)
    page.get_by_label("Reason (optional)").fill("the version is there now")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#letter .lead .state")).to_have_text("succeeded", timeout=SOON)
    expect(page.locator("#letter")).to_contain_text(f"{model} version 1 was evaluated by run")


def test_an_event_is_replayed(page: Page, site: Site, model: str):
    event = site.trained(model, rmse=8.1)
    page.goto(f"/events/{event['id']}")
    expect(page.locator("form.action")).to_contain_text(f"registrar replay {event['id']} --plan")
    page.get_by_role("button", name="Replay this event").click()
    expect(page.locator("#outcome")).to_contain_text("Sent again by Ada", timeout=SOON)


def test_a_refused_request_is_shown(page: Page, site: Site):
    site.sender._post("ci", b"{}", {"Content-Type": "application/json"})
    page.goto("/rejections")
    expect(page.locator("tbody tr").first).to_contain_text("bad_signature")


def test_a_keyboard_is_enough(page: Page):
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_id("main")


def test_all_is_readable_without_a_script(browser: Browser, site: Site, model: str):
    site.trained(model, rmse=8.1)
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("searchbox").fill(model)
    page.keyboard.press("Enter")
    expect(page.locator("#model")).to_contain_text("held back")
    context.close()


def test_many_open_pages_are_all_live(browser: Browser, site: Site, model: str):
    context = browser.new_context(base_url=site.url)
    tabs = [context.new_page() for _ in range(10)]
    for tab in tabs:
        tab.goto(f"/events?model={model}")
    for tab in tabs:
        expect(tab.locator("#live")).to_have_text("live")
    site.happened("training_run.failed", model=model)
    for tab in tabs:
        expect(tab.locator("#found")).to_contain_text("training_run.failed", timeout=SOON)
    context.close()


def test_what_a_person_typed_opened_and_scrolled_to_stays_while_the_page_changes(page: Page, site: Site, model: str):
    site.trained(model, rmse=6.5)
    page.set_viewport_size({"width": 390, "height": 500})
    page.goto(f"/models/{model}")
    page.locator("#model summary").first.click()
    page.get_by_role("searchbox").fill("half a na")
    page.evaluate("window.scrollTo(0, 300)")
    site.sender.slash(f"approve {model} 1")
    expect(page.locator("#target-production .target-version")).to_contain_text("version 1", timeout=SOON)
    expect(page.locator("#model details").first).to_have_attribute("open", "")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("half a na")
    assert page.evaluate("window.scrollY") == 300


def test_a_part_that_is_typed_into_changes_once_it_is_left(page: Page, site: Site, model: str):
    site.trained(model, rmse=6.5)
    page.goto("/promotions")
    page.get_by_role("link", name=f"{model} version 1 to Production").first.click()
    reason = page.get_by_label("Reason (optional)").first
    reason.fill("looks")
    site.sender.slash(f"approve {model} 1")
    expect(page.locator("#standing .lead .state")).to_have_text("promoted", timeout=SOON)
    expect(reason).to_have_value("looks")
    reason.clear()
    reason.blur()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_page_says_that_it_is_not_live_and_comes_back(browser: Browser, site: Site):
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    page.goto("/")
    expect(page.locator("#live")).to_have_text("live")
    context.set_offline(True)
    expect(page.locator("#live")).to_have_text("not live: trying again")
    context.set_offline(False)
    expect(page.locator("#live")).to_have_text("live")
    context.close()


def test_a_page_that_nobody_sees_asks_for_nothing(page: Page):
    page.goto("/")
    expect(page.locator("#live")).to_have_text("live")
    seen_again = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); "
    seen_again += "document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(seen_again, True)
    page.wait_for_timeout(1000)  # what was under way is answered
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(5000)
    assert asked == []
    page.evaluate(seen_again, False)
    page.wait_for_timeout(1000)
    assert len(asked) == 1
