"""A second person's mistakes get the sentences of mistakes.txt: each names the line, and what would be right."""

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
