"""A link of the command line signs in over TLS, at a receiver under its public name, and is in none of its logs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from registrar.config.settings import folder_environment
from tests.slow.browser.conftest import DESKTOP, PHONE, Elsewhere, Site


def registrar(site: Site, *arguments: str) -> str:
    """The output of a command at the receiver's machine, which knows the public address."""
    environ = {**os.environ, **folder_environment(site.stack.data), "REGISTRAR_PUBLIC_URL": site.public}
    command = [sys.executable, "-m", "registrar", "--data", str(site.stack.data), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_link_signs_in_from_elsewhere_until_it_is_revoked(elsewhere: Elsewhere, site: Site, size: Any):
    made = json.loads(registrar(site, "token", "link", "--person", "vera", "--json"))
    page = elsewhere("Vera", viewport=size).new_page()
    page.goto("/policy")
    expect(page.locator("main")).to_contain_text("registrar token link --person ID")
    page.goto(made["link"])
    page.get_by_role("button", name="Sign in as Vera").click()
    expect(page.locator(".who")).to_contain_text("Vera · viewer · signed in by a link")
    listed = {row["name"]: row["state"] for row in json.loads(registrar(site, "token", "list", "--json"))}
    assert listed[made["name"]] == "signed in"
    registrar(site, "token", "revoke", made["name"])
    page.wait_for_timeout(2500)  # within two seconds everywhere
    page.goto("/policy")
    expect(page.locator("h1")).to_have_text("Not signed in")
    code = made["link"].partition("#")[2]
    logs = list(Path(site.stack.data, "logs").rglob("*.log"))
    assert logs
    assert [log.name for log in logs if code in log.read_text(encoding="utf-8", errors="replace")] == []
    assert registrar(site, "audit", "verify", "--offline").rpartition("entries, intact")[1]
