"""A second person's mistakes get the sentences of mistakes.txt: each names the line, and what would be right."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.policy.mistakes import SECRETS, Mistake, read, said

RIGHT, MISTAKES = read()


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REGISTRAR_DATA", raising=False)


def test_the_right_file_is_fine():
    assert said(RIGHT, environ=SECRETS) == "exit 0\n"


def test_there_are_more_than_sixty():
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 60


@pytest.mark.parametrize("branch", ["release.*", "feature/**", "[a-z]*", "*", "dependabot/pip/x-1.2", "user@x", "1.x"])
def test_a_branch_that_there_may_be_is_fine(branch: str):
    assert said(RIGHT.replace("branches: [main]", f'branches: ["{branch}"]'), environ=SECRETS) == "exit 0\n"


GITHUB = "      repositories: [acme/taxi]\n"
OPERATORS = "access:\n  operators: [ada]\n"
TO_LOG = '  - {outcomes: ["*"], to: [log]}\n'
BOB = "{name: Bob, accounts: {slack: T0123/U0002, web: bob@example.com}}"
CHAMPION, DEPLOY, DEPLOYED = "        alias: champion\n", "        deploy: {to: [log]", "deployment.*"
ROLLED_BACK = f"{CHAMPION}{DEPLOY}, on_failure: rollback}}\n"
CONFIRMED = f"{CHAMPION}{DEPLOY}, confirm_within: 15m, on_failure: rollback}}\n"
GITHUB_CHANNEL = 'approver: {kind: github, secret: "env:OIDC", options: {repository: acme/taxi}}'
# By what is fine: the texts that are replaced.
FINE = {
    "a channel that answers go to": {
        GITHUB: f"{GITHUB}      answer_by: approver\n",
        "log: {": f"{GITHUB_CHANNEL}\n  log: {{",
    },
    "a route about other models": {TO_LOG: f'{TO_LOG}  - {{outcomes: ["promotion.*"], models: [bus], to: [team]}}\n'},
    "a route of other outcomes": {
        TO_LOG: f"{TO_LOG}  - {{outcomes: [training_run.failed], models: [taxi], to: [team]}}\n"
    },
    "a glob that is like an entry": {"models: [taxi], to: [team]": 'models: ["taxi-*", taxi], to: [team]'},
    "a member without accounts": {BOB: "{name: Bob}"},
    "a delegate without accounts": {BOB: "{name: Bob, delegate: {to: zoe, until: 2999-12-24}}\n  zoe: {name: Zoe}"},
    "an operator without accounts": {BOB: f"{BOB}\n  zoe: {{name: Zoe}}", "operators: [ada]": "operators: [zoe]"},
    "a rollback of what failed": {CHAMPION: ROLLED_BACK, OPERATORS: "", DEPLOYED: "deployment.failed"},
    "a rollback of what succeeded": {CHAMPION: ROLLED_BACK, OPERATORS: "", DEPLOYED: "deployment.succeeded"},
    "a failure that is told": {CHAMPION: f"{CHAMPION}{DEPLOY}}}\n", OPERATORS: "", DEPLOYED: "evaluation_run.finished"},
    "a confirmation": {CHAMPION: CONFIRMED, OPERATORS: "", DEPLOYED: "deployment.succeeded"},
    "a confirmation about one model": {CHAMPION: CONFIRMED, OPERATORS: "", '["*"]\n  github': "[taxi]\n  github"},
    "a confirmation by an operator": {CHAMPION: CONFIRMED, DEPLOYED: "evaluation_run.finished"},
    "an hour without a freeze": {"{soak: 24h}": '{freeze: "0 0 * * *", duration: 23h}'},
}


@pytest.mark.parametrize("changes", FINE.values(), ids=FINE)
def test_what_can_work_is_fine(changes: dict[str, str]):
    text = RIGHT
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    assert said(text, environ=SECRETS) == "exit 0\n"


@pytest.fixture(params=["UTC", "Etc/GMT-14", "Etc/GMT+12"])
def _at_home(request, monkeypatch) -> Iterator[None]:
    """Somewhere the day is another than in UTC."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_at_home")
@pytest.mark.parametrize(("days", "over"), [(0, False), (-1, True)])
def test_the_last_day_of_a_delegate_is_one_of_utc(days: int, over: bool):
    until = datetime.now(UTC).date() + timedelta(days=days)
    delegate = BOB.replace("name: Bob", f"name: Bob, delegate: {{to: ada, until: {until}}}")
    assert (f"{until} is over" in said(RIGHT.replace(BOB, delegate), environ=SECRETS)) == over


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_gets_its_sentence(mistake: Mistake):
    assert said(mistake.text(RIGHT), environ=SECRETS) == mistake.said


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_sentence_names_a_line_and_no_word_of_the_library(mistake: Mistake):
    code, *lines = mistake.said.splitlines()
    assert code in ("exit 1", "exit 2")
    assert lines
    assert all("registrar.yml:" in line for line in lines)
    for foreign in ("Input should", "pydantic", "Traceback", "^[", "(?!", "whsec_MfKQ", "hooks.slack.com/services"):
        assert foreign not in mistake.said
