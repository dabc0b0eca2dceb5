"""What a TAB offers beside commands and options: names of the record and of registrar.yml, here and elsewhere."""

from collections.abc import Iterator

import pytest
from click.shell_completion import BashComplete

from registrar.cli import candidates, main
from tests.cli.bad_places import closed_port
from tests.cli.setting import House, living, token_of_ada
from tests.cli.test_promotions import POLICY

OFFERED = {
    "versions ": ["taxi"],
    "promote ta": ["taxi"],
    "promote taxi ": ["1"],
    "promote taxi 1 --to ": ["production", "staging"],
    "transition taxi 1 --to sta": ["staging"],
    "approve ": ["prm_", "taxi"],
    "approve taxi ": ["1"],
    "archive x": [],
    "history T": ["taxi"],
    "token create me --person ": ["ada"],
    "events list --actor s": ["source:ci", "source:operator"],
    "demote nobody ": [],
}


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    with living(tmp_path, ledger, ledger_url, policy=POLICY) as house:
        house.harness.registry.trained("r1", rmse=5.0)
        house.run("send", "training_run.finished", "model=taxi", "run_id=r1", "--json")
        house.harness.work()
        yield house


def offered(monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    found = BashComplete(main, {}, "registrar", "_REGISTRAR_COMPLETE").complete().splitlines()
    return sorted(word.removeprefix("plain,") for word in found)


def without_ids(words: list[str]) -> list[str]:
    return ["prm_" if word.startswith("prm_") else word for word in words]


@pytest.mark.parametrize("typed", OFFERED)
def test_here_the_record_is_read(house: House, monkeypatch, typed: str):
    assert without_ids(offered(monkeypatch, f"registrar --data {house.data} {typed}")) == OFFERED[typed]


@pytest.mark.parametrize("typed", OFFERED)
def test_elsewhere_the_receiver_is_asked(house: House, monkeypatch, typed: str):
    monkeypatch.setenv("REGISTRAR_TOKEN", token_of_ada(house))
    monkeypatch.setenv("REGISTRAR_URL", house.url)
    assert without_ids(offered(monkeypatch, f"registrar {typed}")) == OFFERED[typed]


def test_where_something_is_wrong_nothing_is_offered_and_nothing_said(house: House, monkeypatch, capsys):
    assert offered(monkeypatch, "registrar --data nowhere versions ") == []
    monkeypatch.setenv("REGISTRAR_URL", f"http://127.0.0.1:{closed_port()}")
    assert offered(monkeypatch, "registrar versions ") == []
    monkeypatch.setenv("REGISTRAR_URL", "nonsense")
    assert offered(monkeypatch, "registrar versions ") == []
    monkeypatch.setenv("REGISTRAR_URL", house.url)
    monkeypatch.setenv("REGISTRAR_TOKEN", "reg_" + "x" * 40)
    assert offered(monkeypatch, "registrar promote taxi ") == []
    assert capsys.readouterr() == ("", "")


def test_a_receiver_that_is_slow_is_given_a_second(house: House, monkeypatch):
    monkeypatch.setattr(candidates, "SECONDS", 0.0001)
    monkeypatch.setenv("REGISTRAR_URL", house.url)
    assert offered(monkeypatch, "registrar versions ") == []


def test_a_misspelt_model_is_answered_with_the_nearest(house: House):
    assert "did you mean taxi?" in house.run("history", "taxy").stderr + house.run("demote", "taxy").stderr
    failed = house.done("archive", "taxy", "1")
    assert (failed.exit_code, "MLflow has no registered model 'taxy'; did you mean taxi?" in failed.output) == (1, True)
    assert failed.output.count("did you mean") == 1
    assert "MLflow has no version 9 of taxi: it has version" in house.done("archive", "taxi", "9").output
