"""Each way for a secret not to be one has its line."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from registrar.config.key_generation import new_webhook_secret
from tests.doctor.conftest import POLICY, SiteOf, looked, troubles


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """That everybody gets into; pytest's own are nobody else's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_secrets_that_are_well_have_no_trouble(site: SiteOf):
    assert troubles("secrets", site()) == []
    assert looked("secrets", site())[-1].seen == "1 secret: all can be read, and are valid for their kind"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660])
def test_a_file_that_others_may_read_is_said(site: SiteOf, open_folder: Path, mode: int):
    secret = open_folder / "ci.whsec"
    secret.write_text(new_webhook_secret())
    secret.chmod(mode)
    there = site(POLICY.replace("file:ci.whsec", f"file:{secret}"))
    [(level, seen, do)] = troubles("secrets", there)
    assert (level, "can be read by other users" in seen, do) == ("warn", True, f"chmod 600 {secret}")
    open_folder.chmod(0o700)  # nobody else gets at it
    assert troubles("secrets", there) == []


def test_the_environment_file_of_up_is_looked_at_too(site: SiteOf, open_folder: Path):
    (open_folder / "environment").write_text("x=y\n")
    (open_folder / "environment").chmod(0o644)
    [(_, seen, _)] = troubles("secrets", replace(site(), data=open_folder))
    assert f"{open_folder}/environment can be read by other users" in seen


@pytest.mark.parametrize("secret", ["hunter2", "whsec_c2hvcnQ="])
def test_a_weak_secret_is_said_and_not_shown(site: SiteOf, secret: str):
    [(level, seen, do)] = troubles("secrets", site(POLICY.replace("file:ci.whsec", "env:CI"), CI=secret))
    assert (level, "sources.ci.secrets: env:CI: " in seen, "registrar secret" in do) == ("FAIL", True, True)
    assert secret not in seen + do


@pytest.mark.parametrize("reference", ["env:NOWHERE", "file:nowhere", "file:."])
def test_one_that_can_not_be_read_is_said(site: SiteOf, reference: str):
    [(level, seen, do)] = troubles("secrets", site(POLICY.replace("file:ci.whsec", reference)))
    assert (level, f"sources.ci.secrets.0: {reference}" in seen, "the receiver for sources" in do) == (
        "warn",
        True,
        True,
    )


def test_one_secret_for_two_sources_is_said(site: SiteOf):
    two = POLICY.replace("channels:", '  cd: {kind: standard, secrets: ["file:ci.whsec"]}\nchannels:')
    [(level, seen, _)] = troubles("secrets", site(two))
    assert (level, seen) == ("warn", "the sources cd and ci have the same secret")
