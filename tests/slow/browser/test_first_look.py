"""What a person sees of the overview before they scroll, on a desk and on a phone; and the count is kept current."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from werkzeug.serving import make_server

from registrar.events.outcome import Outcome
from registrar.ledger.holders import HoldingStarted
from tests.dashboard.conftest import House, asked, asking, held_back, house, registered
from tests.slow.browser.test_looks import faults

__all__ = ["house"]

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
BEFORE = Outcome("it was in Staging for a while")
MODELS = ("taxi-fares", "churn-eu", "churn-us", "demand-forecast", "fraud-score")


@pytest.fixture
def filled(house: House) -> House:
    """Five models with champions; three promotions wait, one version was held back, and a task failed for good."""
    for nth, model in enumerate(MODELS):
        places = (("stage", "Production"), ("alias", "champion"))
        held = tuple(HoldingStarted(model, kind, key, 3) for kind, key in places)
        for version in (1, 2):
            run = {"model": model, "run_id": f"r{version}"}
            house.happened("training_run.finished", run, registered(model, version, rmse=7 - version / 2), BEFORE)
        opened = asked(house, model, 4)
        staging = tuple(HoldingStarted(model, *place, 4) for place in (("stage", "Staging"), ("alias", "challenger")))
        outcomes = (
            registered(model, 3, rmse=5.5 - nth / 10),
            Outcome("moved", records=held),
        )
        house.happened("training_run.finished", {"model": model, "run_id": "r3"}, *outcomes)
        if nth < 3:
            asks = Outcome("asked", (asking(opened),), records=(*staging, opened))
            run = {"model": model, "run_id": "r4"}
            house.happened("training_run.finished", run, registered(model, 4, rmse=5.2 - nth / 10), asks)
    back = held_back("fraud-score", 4, "rmse 8.1 is not < 7")
    run = {"model": "fraud-score", "run_id": "r4"}
    house.happened("training_run.finished", run, registered("fraud-score", 4, rmse=8.1), back)
    data = {"model": "churn-eu", "version": 9, "description": "x"}
    gone = "MLflow has no version 9 of churn-eu"
    house.happened("model_version.describe", data, Outcome(gone), state="failed", error=gone)
    house.refused("no signature of the source ci fits")
    return house


Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, filled: House) -> Iterator[Opened]:
    server = make_server("127.0.0.1", 0, filled.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    contexts = []

    def open_page(size: Any, path: str = "/", **how: Any) -> Page:
        # axe is put in from outside, which the pages' own policy would not allow.
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{server.server_port}", viewport=size, bypass_csp=True, **how
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    server.shutdown()
    thread.join()
    server.server_close()


def ends_at(part: Locator) -> float:
    box = part.bounding_box()
    assert box
    return box["y"] + box["height"]


def test_a_desk_shows_the_sentence_what_waits_and_three_models_without_scrolling(opened: Opened):
    page = opened(DESK)
    expect(page.locator("#lead")).to_contain_text("3 promotions wait for a person. 1 task failed for good.")
    expect(page.get_by_role("heading", name="Waiting for you 4")).to_be_visible()
    third = page.locator(".model-rows tbody tr").nth(2)
    assert ends_at(page.locator("#lead")) < ends_at(page.locator("#waiting")) < ends_at(third) <= DESK["height"]


def test_a_phone_shows_the_sentence_and_what_waits_without_scrolling(opened: Opened):
    page = opened(PHONE, is_mobile=True, has_touch=True)
    assert ends_at(page.locator("#lead")) < PHONE["height"]
    for nth in range(3):
        assert ends_at(page.locator("#waiting .inbox-title").nth(nth)) <= PHONE["height"]


def test_what_is_tapped_on_a_phone_is_as_large_as_a_finger(opened: Opened):
    page = opened(PHONE, is_mobile=True, has_touch=True)
    for part in page.locator("#waiting .inbox-title, .mark, .model-rows th a").all():
        box = part.bounding_box()
        assert box
        assert box["height"] >= 44, part.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("path", ["/", "/models", "/rejections"])
def test_a_full_page_has_no_serious_fault(opened: Opened, size: Any, scheme: str, path: str):
    assert faults(opened(size, path, color_scheme=scheme)) == []


def test_the_count_in_navigation_and_title_is_kept_current_on_every_page(opened: Opened, filled: House):
    page = opened(DESK, "/policy")
    count = page.get_by_label("Pages").locator(".count")
    expect(page).to_have_title("(4) Policy · Registrar")
    expect(count).to_contain_text("4")
    one = asked(filled, "demand-forecast", 4)
    run = {"model": "demand-forecast", "run_id": "r4"}
    filled.happened("training_run.finished", run, Outcome("asked", (asking(one),), records=(one,)))
    expect(count).to_contain_text("5")
    expect(page).to_have_title("(5) Policy · Registrar")
