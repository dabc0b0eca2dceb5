"""The tutorial, which the README shortens: every recipe runs as it is written, on `registrar up`'s starter."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from registrar.config.settings import Settings, from_folder
from tests.docs.pages import DOCS, ROOT
from tests.e2e.installation import Installation, running
from tests.e2e.sender import Sender
from tests.needs import needs
from tests.recipes import TUTORIAL, github, gitlab, jenkins
from tests.recipes import recipe as block

FOLDERS = ("tutorials", "how-to", "reference")
PAGES = (ROOT / "README.md", *(page for folder in FOLDERS for page in (DOCS / folder).rglob("*.md")))
MODEL = "first-model"


def recipe(name: str) -> str:
    return block(name, TUTORIAL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository of somebody who trains models, with `registrar up` on its starter policy."""
    needs("curl", install="apt-get install curl")
    needs("openssl", install="apt-get install openssl")
    folder = tmp_path_factory.mktemp("readme")
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    with running(folder / ".registrar"):
        yield folder


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    return from_folder(home / ".registrar")


def run(script: str, home: Path, settings: Settings, **variables: str) -> str:
    """As a CI's shell does: bash -e, with the variables that it gives."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "MLFLOW_TRACKING_URI": settings.mlflow_uri,
        **variables,
    }
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(home: Path, settings: Settings) -> str:
    run(recipe("train"), home, settings)
    return (home / "run_id.txt").read_text()


def accepted(answer: str, settings: Settings, home: Path) -> dict:
    status_url = json.loads(answer)["events"][0]["status_url"]
    event = Sender(Installation(home / ".registrar", settings, "", "")).until_done(status_url)
    assert event["state"] == "succeeded", event
    return event


def posted(home: Path, settings: Settings) -> dict:
    """As in the one terminal that the tutorial has: nothing but what it exports is there."""
    return accepted(run(recipe("export") + recipe("curl"), home, settings), settings, home)


@pytest.fixture(scope="module")
def approved(home: Path, settings: Settings, trained: str) -> str:
    posted(home, settings)
    return run(recipe("approve"), home, settings)


def test_the_curl_recipe_brings_the_run_to_staging(home: Path, settings: Settings, trained: str) -> None:
    event = posted(home, settings)
    assert event["data"]["run_id"] == trained
    assert "Staging" in run(f"registrar versions {MODEL}", home, settings)


@pytest.mark.parametrize(
    ("script", "given"),
    [
        (github, {"GITHUB_SHA": "c0ffee", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1"}),
        (gitlab, {"CI_COMMIT_SHA": "c0ffee", "CI_JOB_ID": "42"}),
        (jenkins, {"GIT_COMMIT": "c0ffee", "BUILD_TAG": "jenkins-team/train %2F main-3"}),
    ],
    ids=["github", "gitlab", "jenkins"],
)
def test_each_cis_recipe_is_accepted_and_its_retry_is_the_same_event(home, settings, trained, script, given) -> None:
    secrets = {"REGISTRAR_URL": settings.public_url, "REGISTRAR_SECRET": settings.secret("file:secrets/ci.whsec")}
    first = json.loads(run(script(), home, settings, **given, **secrets))
    again = json.loads(run(script(), home, settings, **given, **secrets))
    assert first == again
    assert accepted(json.dumps(first), settings, home)["data"]["commit"] == "c0ffee"


def test_the_approval_from_a_terminal_puts_it_in_production(home: Path, settings: Settings, approved: str) -> None:
    assert "Production" in approved
    assert "@champion" in approved
    assert run(f"registrar versions {MODEL}", home, settings).count("Production") == 1


def test_what_comes_after_the_first_approval_works_and_leaves_nothing_undone(home, settings, approved) -> None:
    """The rollback has something to go back to."""
    run(recipe("train"), home, settings)
    posted(home, settings)
    run(recipe("rollback"), home, settings)
    found = json.loads(run(f"registrar versions {MODEL} --json", home, settings))
    assert [int(each["version"]) for each in found if each["stage"] == "Production"] == [1], found
    assert json.loads(run("registrar dead list --json", home, settings)) == []


def test_every_command_that_the_pages_name_exists(home: Path, settings: Settings) -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"^ *(?:\$ )?registrar ([a-z-]+)", pages, re.MULTILINE))
    named |= set(re.findall(r"`registrar ([a-z-]+)", pages))
    shown = run("registrar --help", home, settings)
    assert {name for name in named if not re.search(rf"^  {name} ", shown, re.MULTILINE)} == set()
