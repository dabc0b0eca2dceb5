"""What a person does who sits at another machine: they sign in at the provider, and do their work on the pages."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.slow.browser.conftest import Elsewhere, Site, heard
from tests.slow.browser.signing import refused_form, sign_in

SOON = 60_000  # milliseconds: a worker on a slow machine
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def model() -> str:
    return f"taxi-{uuid.uuid4().hex[:8]}"


def test_a_working_day(elsewhere: Elsewhere, site: Site, model: str):
    site.trained(model, rmse=8.1)
    failed = site.evaluated(model, 2)
    page = elsewhere("Ada").new_page()
    said = heard(page)

    sign_in(page, "/events")
    expect(page).to_have_url(f"{site.public}/events")
    expect(page.locator(".who")).to_contain_text("Ada · operator")

    page.get_by_label("Model", exact=True).fill(model)
    page.get_by_label("Type").select_option("training_run.finished")
    page.get_by_role("button", name="Search").click()
    page.locator("tbody").get_by_role("link", name="training_run.finished").click()
    expect(page.locator("#outcome")).to_contain_text("was held back from Staging: rmse 8.1 is not < 7")

    site.trained(model, rmse=6.5)
    watching = page.context.new_page()
    watching.goto(f"/models/{model}")
    expect(watching.locator("#target-production .target-version")).to_have_count(0)
    watching.evaluate("window.loaded = 'once'")
    page.goto("/")
    row = page.locator(".model-rows tr", has_text=model)
    row.get_by_role("link", name="version 2 waits for you").click()
    page.get_by_label("Reason (optional)").first.fill("looks right")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#standing .lead .state")).to_have_text("promoted", timeout=SOON)
    expect(page.locator("#promotion")).to_contain_text("looks right")
    expect(watching.locator("#target-production .target-version")).to_contain_text("version 2", timeout=SOON)
    assert watching.evaluate("window.loaded") == "once"
    assert site.mlflow.get_model_version_by_alias(model, "champion").version == "2"

    page.get_by_role("link", name="Dead letters").click()
    page.locator("#found tr", has_text=model).get_by_role("link").first.click()
    expect(page.locator("#letter .lead .state")).to_have_text("failed")
    page.get_by_role("link", name="replay evaluation_run.finished").click()
    page.get_by_role("button", name="Plan").click()
    expect(page.locator("#sent")).to_contain_text("evaluation_run.finished by Ada now: ready", timeout=SOON)
    expect(page.locator("#outcome")).not_to_contain_text("Sent again by Ada")
    page.get_by_role("button", name="Replay this event").click()
    expect(page.locator("#outcome")).to_contain_text("Sent again by Ada", timeout=SOON)
    page.locator("#outcome").get_by_role("link").last.click()
    expect(page.locator("#outcome .lead .state")).to_have_text("succeeded", timeout=SOON)
    expect(page.locator("#outcome")).to_contain_text(f"{model} version 2 was evaluated by run")
    page.goto(f"/dead/{failed['tasks'][0]['id']}")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#letter .lead .state")).to_have_text("succeeded", timeout=SOON)
    assert [line for line in said if "401" not in line] == []  # the page before the sign-in


def test_forms_of_a_session_reject_drop_and_replay(elsewhere: Elsewhere, site: Site, model: str):
    site.trained(model, rmse=6.5)
    site.evaluated(model, 9)
    page = elsewhere("Ada").new_page()
    sign_in(page, "/promotions")
    page.get_by_role("link", name=f"{model} version 1 to Production").first.click()
    form = page.locator("form", has=page.get_by_role("button", name="Reject"))
    form.get_by_label("Reason").fill("not on a Friday")
    form.get_by_role("button", name="Reject").click()
    expect(page.locator("#standing .lead")).to_contain_text("rejected", timeout=SOON)

    page.goto(f"/dead?model={model}")
    page.locator("#found").get_by_role("link", name=re.compile("evaluated")).click()
    form = page.locator("form", has=page.get_by_role("button", name="Drop it"))
    form.get_by_label("Reason").fill("there is no version 9")
    form.get_by_role("button", name="Drop it").click()
    expect(page.locator("#letter .lead .state")).to_have_text("dropped", timeout=SOON)

    page.goto(f"/events?model={model}&type=training_run.finished")
    page.locator("tbody").get_by_role("link", name="training_run.finished").click()
    page.get_by_role("button", name="Replay this event").click()
    expect(page.locator("#outcome")).to_contain_text("Sent again by Ada", timeout=SOON)


def test_a_viewer_sees_no_button_and_is_refused(elsewhere: Elsewhere, site: Site, model: str):
    site.trained(model, rmse=6.5)
    page = elsewhere("Vera").new_page()
    sign_in(page)
    expect(page.locator(".who")).to_contain_text("Vera · viewer")
    row = page.locator(".model-rows tr", has_text=model)
    row.get_by_role("link", name="version 1 awaits approval").click()
    expect(page.locator("main")).to_contain_text("You are signed in as viewer and can't vote.")
    expect(page.locator("main form")).to_have_count(0)
    promotion = page.url
    refused_form(page, "/approve")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not granted")
    expect(page.locator("main")).to_contain_text("Vera is signed in as viewer, and this needs approver")
    expect(page.locator(".who").get_by_role("button", name="Sign out")).to_be_visible()
    page.goto(promotion)
    expect(page.locator(".lead .state")).to_have_text("awaiting approval")


def test_signed_out_nothing_is_shown_any_more(elsewhere: Elsewhere, site: Site):
    page = elsewhere("Ada").new_page()
    sign_in(page, "/policy")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Not signed in")
    page.goto("/policy")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not signed in")
    page.locator(".who").get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(f"{site.public}/policy")
    expect(page.locator(".who")).to_contain_text("Ada · operator")


def test_an_open_page_says_that_its_session_has_ended(elsewhere: Elsewhere):
    page = elsewhere("Ada").new_page()
    sign_in(page)
    other = page.context.new_page()
    other.goto("/policy")
    other.get_by_role("button", name="Sign out").click()
    expect(page.locator("#live")).to_have_text("not live: reload to see what is new")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_an_open_page_never_becomes_another_persons(elsewhere: Elsewhere, site: Site, model: str):
    """Else a form under Ada's name would be sent as Vera's."""
    site.trained(model, rmse=6.5)
    page = elsewhere("Ada").new_page()
    sign_in(page, "/promotions")
    page.get_by_role("link", name=f"{model} version 1 to Production").first.click()
    other = page.context.new_page()
    other.goto("/policy")
    other.get_by_role("button", name="Sign out").click()
    site.provider.claims |= {"email": "vera@example.com"}
    sign_in(other, "/policy")
    expect(other.locator(".who")).to_contain_text("Vera · viewer")
    other.close()
    site.trained(model, rmse=6.4)
    expect(page.locator("#live")).to_have_text("not live: another person is signed in, reload the page")
    expect(page.locator(".who")).to_contain_text("Ada · operator")
    expect(page.locator("#decide").get_by_role("button", name="Approve")).to_be_visible()


def test_who_is_nobody_of_ours_is_told_so_and_may_sign_in_as_somebody_else(elsewhere: Elsewhere, site: Site):
    page = elsewhere("Eve").new_page()
    sign_in(page)
    expect(page.locator("main")).to_contain_text(
        "eve@example.com is signed in, but is nobody's account in registrar.yml"
    )
    site.provider.claims |= {"email": "vera@example.com"}
    page.get_by_role("link", name="Sign in as somebody else").click()
    expect(page.locator(".who")).to_contain_text("Vera · viewer")
