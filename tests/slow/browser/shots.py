"""Take the pictures of docs/how-to/dashboard, of an installation with a little past; or those of every page.

make pictures            # those of the README and docs/how-to/dashboard.md, anew
make pictures TO=/tmp/x  # every page, by day and by night, on a desk and on a phone, into that folder
"""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, expect

from tests.e2e.sender import PATIENCE
from tests.slow.browser.conftest import DESKTOP, PHONE, Elsewhere, Site
from tests.slow.browser.signing import sign_in

ROOT = Path(__file__).parents[3]
MODEL = "taxi-fares"
LOOKS: dict[str, dict[str, Any]] = {
    f"{place}-{scheme}": {"viewport": size, "color_scheme": scheme}
    for place, size in (("desk", DESKTOP), ("phone", PHONE))
    for scheme in ("light", "dark")
}
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def paths(site: Site) -> dict[str, str]:
    """Of every page, by what it is called: two versions got to Production, one more is asked for."""
    for version, rmse in enumerate((6.9, 6.2), 1):
        site.trained(MODEL, rmse)
        site.sender.slash(f"approve {MODEL} {version}")
        in_production(site, version)
    held = site.trained(MODEL, 8.1)
    site.trained(MODEL, 5.8)
    site.trained("churn", 6.4)
    failed = site.evaluated(MODEL, 99)
    site.sender._post("ci", b"{}", {"Content-Type": "application/json"})
    lists = ("events", "promotions", "models", "dead", "rejections", "policy", "audit")
    one = {"event": f"/events/{held['id']}", "letter": f"/dead/{failed['tasks'][0]['id']}", "model": f"/models/{MODEL}"}
    one |= {
        "find": "/find?q=evt_",
        "docs": "/docs",
        "link": "/signin/link",
        "version": f"/models/{MODEL}/versions/2",
        "rollback": f"/models/{MODEL}/rollback",
    }
    one |= {"version": f"/models/{MODEL}/versions/2", "rollback": f"/models/{MODEL}/rollback"}
    one |= {"compare": f"/models/{MODEL}/compare?a=2&b=4"}
    return {"overview": "/", **{name: f"/{name}" for name in lists}, **one, "missing": "/events/evt_0"}


def test_pictures(elsewhere: Elsewhere, paths: dict[str, str]):
    to = Path(os.environ.get("TO") or ROOT / "docs" / "how-to" / "dashboard")
    to.mkdir(exist_ok=True)
    if to == ROOT / "docs" / "how-to" / "dashboard":
        desk = elsewhere("Ada", viewport={"width": 1280, "height": 1150})
        shot(desk, {"overview": paths["overview"]}, to, full=False)
        shot(desk, {"model": paths["model"]}, to)
        shot(elsewhere("Ada", color_scheme="dark"), {"promotion-dark": promotion(desk)}, to)
        phone = {"width": 390, "height": 1100}
        shot(elsewhere("Ada", viewport=phone), {"phone": "/"}, to, full=False)
        night = elsewhere("Ada", viewport=phone, color_scheme="dark")
        shot(night, {"phone-dark": promotion(desk)}, to, full=False)
        return
    for look, how in LOOKS.items():
        context = elsewhere("Ada", **how)
        nobody = context.new_page()
        nobody.goto("/policy")
        nobody.screenshot(path=to / f"sign-in-{look}.png")
        nobody.close()
        shot(context, {f"{name}-{look}": path for name, path in paths.items()}, to)
        shot(context, {f"promotion-{look}": promotion(context)}, to)
        stranger = elsewhere("Eve", **how).new_page()
        sign_in(stranger)
        stranger.screenshot(path=to / f"stranger-{look}.png")
        viewer = elsewhere("Vera", **how)
        shot(viewer, {f"viewer-{look}": promotion(viewer)}, to)


def in_production(site: Site, version: int, model: str = MODEL) -> None:
    until = time.monotonic() + PATIENCE
    while "champion" not in site.mlflow.get_model_version(model, str(version)).aliases:
        assert time.monotonic() < until
        time.sleep(0.3)


def promotion(context: BrowserContext) -> str:
    """The page of the one that is open."""
    page = context.new_page()
    page.goto("/")
    if page.locator("h1").inner_text() == "Not signed in":
        sign_in(page)
    found = (
        page.locator(".model-rows tr", has_text=MODEL)
        .locator('.mark[href^="/promotions/"]')
        .first.get_attribute("href")
    )
    assert found
    page.close()
    return found


def shot(context: BrowserContext, paths: dict[str, str], to: Path, *, full: bool = True) -> None:
    page = context.new_page()
    page.goto("/")
    if page.locator("h1").inner_text() == "Not signed in":
        sign_in(page)
    for name, path in paths.items():
        page.goto(path)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_timeout(500)
        file = to / f"{name}.png"
        page.screenshot(path=file, full_page=full)
        Image.open(file).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    page.close()
