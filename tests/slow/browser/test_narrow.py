"""Every page on the narrowest phones, with names as long as they may be: nothing sticks out, and all can be read."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from registrar.events.outcome import Outcome
from registrar.ledger.disputes import Disputed
from registrar.ledger.holders import HoldingStarted
from tests.dashboard.conftest import House, asked, asking, house, registered
from tests.slow.browser.test_looks import faults

__all__ = ["house"]

NARROW = {"width": 360, "height": 740}  # CSS pixels
LONG = "a" * 120 + "-" + "B" * 120  # no place to break it at
RUN = "f" * 32


@pytest.fixture
def paths(house: House) -> list[str]:
    """Of every page, with something on it that is long."""
    held = tuple(HoldingStarted(LONG, kind, key, 1) for kind, key in (("stage", "Production"), ("alias", "champion")))
    wide = {f"validation/{'m' * 60}_{nth}": 0.123456789 for nth in range(4)}
    moved = Outcome("moved", records=(*held, Disputed(LONG, f"MLflow has no version 1 of {LONG}")))
    first = house.happened("training_run.finished", {"model": LONG, "run_id": RUN}, registered(LONG, 1, **wide), moved)
    opened = asked(house, LONG, 2, reason="x" * 1500)
    house.happened(
        "training_run.finished",
        {"model": LONG, "run_id": RUN},
        registered(LONG, 2, **wide),
        Outcome("asked", (asking(opened),), records=(opened, HoldingStarted(LONG, "alias", "challenger", 2))),
    )
    failed = house.happened(
        "model_version.describe",
        {"model": LONG, "version": 1, "description": "y" * 3000},
        Outcome("z" * 500),
        state="failed",
        error="e" * 1000,
    )
    house.refused("w" * 900)
    task = house.get(f"/v1/events/{failed}").json["tasks"][-1]["id"]
    lists = ["/", "/events", "/promotions", "/models", "/dead", "/rejections", "/policy", "/audit", "/docs"]
    return [
        *lists,
        *(f"/events/{one}" for one in (first, failed)),
        f"/models/{LONG}",
        f"/models/{LONG}/versions/1",
        f"/models/{LONG}/compare?a=1&b=2",
        f"/promotions/{opened.id}",
        f"/dead/{task}",
        f"/events?model={LONG}",
        "/events/evt_0",
        *("/find", "/find?q=evt_", f"/find?q={LONG[:30]}x", "/signin/link"),
    ]


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:
    server = make_server("127.0.0.1", 0, house.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    # axe is put in from outside, which the pages' own policy would not allow.
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.server_port}", viewport=NARROW, is_mobile=True, bypass_csp=True
    )
    yield context.new_page()
    context.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_heading_of_a_table_is_broken_into_letters(page: Page, paths: list[str]):
    page.goto(next(path for path in paths if path.startswith("/models/")))
    heads = page.get_by_role("region", name="Champion against challenger").locator("th").all()
    widths = [(head.inner_text(), (head.bounding_box() or {"width": 0})["width"]) for head in heads]
    assert [name for name, width in widths if width < 60] == []  # CSS pixels: some eight letters
    assert len(widths) > 4


def test_nothing_sticks_out_of_a_page_of_360_pixels(page: Page, paths: list[str]):
    found: dict[str, Any] = {}
    for path in paths:
        page.goto(path)
        found[path[:30] + path[-11:]] = faults(page)
    assert {path: some for path, some in found.items() if some} == {}, found
