"""A promotion is decided by a person who sees all that is decisive without scrolling, on a desk and on a phone."""

import re
import uuid
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.slow.browser.conftest import Elsewhere, Site, heard
from tests.slow.browser.signing import sign_in
from tests.slow.browser.test_looks import faults

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SOON = 60_000  # milliseconds: a worker on a slow machine
TOUCH = 44  # CSS pixels
pytestmark = pytest.mark.timeout(600)
each_size = pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])


@pytest.fixture
def model() -> str:
    return f"taxi-{uuid.uuid4().hex[:8]}"


def asked(site: Site, model: str) -> str:
    """The path of the promotion to Production of a version that passed its gates."""
    event = site.trained(model, rmse=6.5)
    facts = [fact for task in event["tasks"] for fact in (task["outcome"] or {}).get("facts", [])]
    found = next(fact for fact in facts if fact["type"] == "promotion.awaiting_approval")
    return f"/promotions/{found['details']['promotion']}"


def in_view(part: Locator) -> bool:
    """Whether a part is whole in the window, as it is scrolled now."""
    box, size = part.bounding_box(), part.page.viewport_size
    assert box
    assert size
    return box["y"] >= 0 and box["x"] >= 0 and box["y"] + box["height"] <= size["height"]


def panel(page: Page) -> Locator:
    return page.locator("#decide")


def button(page: Page, name: str) -> Locator:
    return panel(page).get_by_role("button", name=name, exact=True)


@each_size
def test_an_approver_sees_what_to_decide_and_approves_without_scrolling(
    elsewhere: Elsewhere, site: Site, model: str, size: Any
):
    path = asked(site, model)
    page = elsewhere("Ada", viewport=size).new_page()
    sign_in(page, path)
    said = heard(page)
    reason = page.get_by_label("Reason (optional)").first
    decisive = [page.locator("h1"), page.locator(".own-vote"), reason, button(page, "Approve"), button(page, "Reject")]
    assert [in_view(part) for part in decisive] == [True] * 5
    expect(panel(page)).to_contain_text("1 more of leads: Ada")
    expect(page.locator(".own-vote")).to_have_text(
        "Your approval is the last one that is needed. Then it is moved to Production at once."
    )
    expect(page.locator(".step[aria-current]")).to_contain_text("Votes")
    if size == DESK:
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        assert in_view(button(page, "Approve"))
    reason.fill("looks right")
    button(page, "Approve").click()
    expect(page.locator(".step.moved")).to_contain_text("done", timeout=SOON)
    expect(page.locator(".step.held")).to_contain_text("holds it", timeout=SOON)
    expect(page.locator("#promotion")).to_contain_text("looks right")
    expect(panel(page)).to_contain_text("Approved by Ada")
    assert said == []


def test_what_is_touched_is_large_enough(elsewhere: Elsewhere, site: Site, model: str):
    path = asked(site, model)
    page = elsewhere("Ada", viewport=PHONE).new_page()
    sign_in(page, path)
    panel(page).locator("summary").click()
    touched = panel(page).locator("button, summary, textarea, input:not([type=hidden])").all()
    small = [part.inner_text() for part in touched if (part.bounding_box() or {"height": 0})["height"] < TOUCH]
    assert (len(touched), small) == (6, [])


@each_size
def test_a_viewer_sees_who_decides_and_no_form(elsewhere: Elsewhere, site: Site, model: str, size: Any):
    path = asked(site, model)
    page = elsewhere("Vera", viewport=size).new_page()
    sign_in(page, path)
    expect(panel(page)).to_contain_text("You are signed in as viewer and can't vote.")
    expect(panel(page)).to_contain_text("1 more of leads: Ada")
    expect(panel(page).locator("form")).to_have_count(0)
    assert in_view(panel(page))


@each_size
def test_whose_vote_would_not_count_is_shown_why_and_approve_is_no_main_button(
    elsewhere: Elsewhere, site: Site, model: str, size: Any
):
    path = asked(site, model)
    page = elsewhere("Bob", viewport=size).new_page()
    sign_in(page, path)
    expect(page.locator(".own-vote")).to_contain_text("you are in no group that approves this (leads: Ada)")
    expect(button(page, "Approve")).to_have_attribute("formnovalidate", "")
    expect(panel(page).locator("button.main")).to_have_count(0)
    expect(panel(page)).not_to_contain_text("Cancel the request")
    assert in_view(page.locator(".own-vote"))
    button(page, "Approve").click()
    expect(page.locator("#sent")).to_contain_text("Your vote does not count", timeout=SOON)
    expect(page.locator("#promotion")).to_contain_text("approve: did not count")


def test_a_stranger_sees_nothing_of_it(elsewhere: Elsewhere, site: Site, model: str):
    path = asked(site, model)
    page = elsewhere("Eve").new_page()
    page.goto(path)
    sign_in(page, path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not granted")
    expect(page.locator("main")).not_to_contain_text(model)


@each_size
def test_a_half_typed_reason_stays_while_the_steps_move_on(elsewhere: Elsewhere, site: Site, model: str, size: Any):
    path = asked(site, model)
    page = elsewhere("Ada", viewport=size).new_page()
    sign_in(page, path)
    reason = page.get_by_label("Reason (optional)").first
    reason.press_sequentially("not yet")
    page.keyboard.press("Enter")  # no form is sent by it
    reason.press_sequentially("sure")
    site.sender.slash(f"approve {model} 1")
    expect(page.locator(".step.held")).to_contain_text("holds it", timeout=SOON)
    expect(reason).to_have_value("not yet\nsure")
    expect(reason).to_be_focused()
    reason.clear()
    reason.blur()
    expect(panel(page)).to_contain_text("Approved by Ada")


def test_what_was_rejected_is_requested_again_from_its_page(elsewhere: Elsewhere, site: Site, model: str):
    path = asked(site, model)
    page = elsewhere("Ada").new_page()
    sign_in(page, path)
    page.get_by_label("Reason (optional)").first.fill("not on a Friday")
    button(page, "Reject").click()
    expect(page.locator(".step.votes")).to_contain_text("rejected by Ada", timeout=SOON)
    page.get_by_label("Reason (optional)").first.fill("it is Monday")
    button(page, "Request again").click()
    again = panel(page).get_by_role("link", name="awaiting approval")
    expect(again).to_be_visible(timeout=SOON)
    again.click()
    expect(page.locator(".lead .state")).to_have_text("awaiting approval")
    expect(page.locator("main")).to_contain_text("it is Monday")
    expect(button(page, "Approve")).to_be_visible()


def test_all_of_it_works_without_a_script(browser: Browser, site: Site, model: str):
    path = asked(site, model)
    context = browser.new_context(base_url=site.url, java_script_enabled=False, viewport=DESK)
    page = context.new_page()
    page.goto("/promotions?show=mine")
    page.get_by_role("link", name=f"{model} version 1 to Production").click()
    expect(page).to_have_url(re.compile(re.escape(path)))
    page.get_by_label("Reason (optional)").first.fill("no script")
    button(page, "Reject").click()
    expect(page.locator("#sent")).to_be_visible()
    for _ in range(60):
        page.wait_for_timeout(500)
        page.reload()
        if page.locator(".lead .state").inner_text() == "rejected":
            break
    expect(page.locator(".lead")).to_contain_text("rejected")
    expect(page.locator(".lead")).to_contain_text("no script")
    context.close()


def test_needs_me_empties_as_others_decide(elsewhere: Elsewhere, site: Site, model: str):
    asked(site, model)
    page = elsewhere("Ada").new_page()
    sign_in(page, f"/promotions?show=mine&model={model}")
    row = page.get_by_role("link", name=f"{model} version 1 to Production")
    expect(row).to_be_visible()
    expect(page.locator("#tabs [aria-current]")).to_have_text("Needs me 1")
    site.sender.slash(f"approve {model} 1")
    expect(page.locator("#found")).to_contain_text("No promotion matches", timeout=SOON)
    page.locator("#tabs").get_by_role("link", name="Decided").click()
    expect(page.locator("#found tbody tr")).to_have_count(1)
    expect(page.locator("#found")).to_contain_text("1/1")
    page.get_by_role("link", name="Include automatic ones").click()
    expect(page.locator("#found tbody tr")).to_have_count(2)


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "dark"), (PHONE, "light")], ids=["desk", "phone"])
def test_no_list_and_no_state_of_a_promotion_has_a_serious_fault(
    elsewhere: Elsewhere, site: Site, model: str, size: Any, scheme: Any
):
    path = asked(site, model)
    page = elsewhere("Ada", viewport=size, color_scheme=scheme, bypass_csp=True).new_page()
    sign_in(page, path)
    found = {"open": faults(page)}
    for show in ("mine", "open", "decided", "decided&automatic=yes", "all"):
        page.goto(f"/promotions?show={show}")
        found[show] = faults(page)
    site.sender.slash(f"reject {model} 1 so")
    page.goto(path)
    expect(button(page, "Request again")).to_be_visible(timeout=SOON)
    found["rejected"] = faults(page)
    assert {name: some for name, some in found.items() if some} == {}
