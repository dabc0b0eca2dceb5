"""The recipes for CI systems, run as they are written: what they post is taken, once for each thing that is said.

`curl` is a stand-in that writes down what it is to post; tests/slow/e2e/test_readme.py runs four of them with
curl itself.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from registrar.config.settings import Settings
from tests.needs import needs
from tests.recipes import azure, bitbucket, buildkite, circleci, github, gitlab, jenkins, script
from tests.webhooks.conftest import CI, REGISTRAR_YML, Receiver, environ

SHA = "4c8ef2a1b5d04b7e8a1d2f3c4b5a69788796a5b4"
STAND_IN = f"""#!{sys.executable}
import json, sys
json.dump(sys.argv[1:], open("posted.json", "w"))
"""


@dataclass(frozen=True)
class System:
    """given: the variables that the job of this number in a matrix gets in its attempt of this number."""

    script: Callable[[], str]
    given: Callable[[int, int], dict[str, str]]


SYSTEMS = {
    "github": System(
        github, lambda job, attempt: {"GITHUB_SHA": SHA, "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": f"{attempt}"}
    ),
    "gitlab": System(gitlab, lambda job, attempt: {"CI_COMMIT_SHA": SHA, "CI_JOB_ID": f"4{job}{attempt}"}),
    "jenkins": System(
        jenkins, lambda job, attempt: {"GIT_COMMIT": SHA, "BUILD_TAG": f"jenkins-team/train %2F main-{attempt}"}
    ),
    "circleci": System(
        circleci, lambda job, attempt: {"CIRCLE_SHA1": SHA, "CIRCLE_WORKFLOW_JOB_ID": f"fda08377-{job}-{attempt}"}
    ),
    "circleci, parallel": System(
        circleci, lambda job, attempt: {"CIRCLE_SHA1": SHA, "CIRCLE_WORKFLOW_JOB_ID": f"fda08377-{attempt}"}
    ),
    "buildkite": System(
        buildkite, lambda job, attempt: {"BUILDKITE_COMMIT": SHA, "BUILDKITE_JOB_ID": f"b63254c0-{job}-{attempt}"}
    ),
    "azure": System(
        azure,
        lambda job, attempt: {
            "BUILD_SOURCEVERSION": SHA,
            "BUILD_BUILDID": "2",
            "SYSTEM_JOBID": f"12f1170f-{job}",
            "SYSTEM_JOBATTEMPT": f"{attempt}",
        },
    ),
    "bitbucket": System(
        bitbucket,
        lambda job, attempt: {
            "BITBUCKET_COMMIT": SHA,
            "BITBUCKET_STEP_UUID": f"{{5e9ee8a5-{job}}}",
            "BITBUCKET_STEP_RUN_NUMBER": f"{attempt}",
        },
    ),
}


@dataclass
class Jobs:
    """Runs a recipe as jobs of a CI system do, and posts what it says."""

    folder: Path
    receiver: Receiver

    def run(self, script: str, *, run_id: str, **variables: str) -> TestResponse:
        (self.folder / "run_id.txt").write_text(run_id)
        own = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "REGISTRAR_SECRET": CI,
            "REGISTRAR_URL": "https://r.example",
        }
        subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**own, **variables},
            check=True,
            timeout=60,
        )
        said = json.loads((self.folder / "posted.json").read_text())
        assert said[-1] == "https://r.example/webhooks/ci"
        headers = dict(said[n + 1].split(": ", 1) for n, word in enumerate(said) if word == "-H")
        return self.receiver.post(said[said.index("--data-raw") + 1].encode(), headers)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    variables = environ(tmp_path)
    (tmp_path / "registrar.yml").write_text(REGISTRAR_YML.replace("nyc-taxi-*]}", "first-model]}", 1))
    return Settings.read(variables)


@pytest.fixture
def jobs(tmp_path: Path, receiver: Receiver) -> Jobs:
    needs("openssl", install="apt-get install openssl")
    (tmp_path / "curl").write_text(STAND_IN)
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "tell-registrar.sh").write_text(script())
    return Jobs(tmp_path, receiver)


def ids(answer: TestResponse) -> list[Any]:
    assert answer.json
    return [event["id"] for event in answer.json["events"]]


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS.keys())
def test_each_job_of_a_matrix_is_heard_and_what_is_sent_again_counts_once(system: System, jobs: Jobs):
    def post(job: int, *, attempt: int = 1, run_id: str) -> TestResponse:
        return jobs.run(system.script(), run_id=run_id, **system.given(job, attempt))

    one, two = post(1, run_id="a" * 32), post(2, run_id="b" * 32)
    assert (one.status_code, two.status_code) == (202, 202), (one.text, two.text)
    again = post(1, run_id="a" * 32)
    assert (again.status_code, ids(again)) == (200, ids(one))
    anew = post(1, attempt=2, run_id="a" * 32)
    assert anew.status_code == 202
    assert len({*ids(one), *ids(two), *ids(anew)}) == 3
    assert {(event.data["run_id"][0], event.data["commit"]) for event in jobs.receiver.events()} == {
        ("a", SHA),
        ("b", SHA),
    }


@pytest.mark.parametrize(
    ("arguments", "secret", "says"),
    [("first-model", CI, "usage: tell-registrar.sh MODEL RUN_ID"), ("m r c a", "", "REGISTRAR_SECRET: is not set")],
)
def test_a_call_that_lacks_something_says_what_and_posts_nothing(jobs: Jobs, arguments: str, secret: str, says: str):
    """As a fork's job, which gets no secret: openssl would say that it lacks memory, and a signature be refused."""
    own = {
        "PATH": f"{jobs.folder}:{os.environ['PATH']}",
        "REGISTRAR_SECRET": secret,
        "REGISTRAR_URL": "https://r.example",
    }
    command = ["sh", "tell-registrar.sh", *arguments.split()]
    done = subprocess.run(command, cwd=jobs.folder, env=own, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert not (jobs.folder / "posted.json").exists()
