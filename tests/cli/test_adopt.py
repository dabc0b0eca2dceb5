"""`registrar adopt`: what MLflow had before, taken in by a command here, and by URL and token."""

from collections.abc import Iterator

import pytest

from tests.cli.setting import House, living


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    """MLflow has two versions, the first in Production; the record knows nothing."""
    with living(tmp_path, ledger, ledger_url) as house:
        registry = house.harness.registry
        registry.ensure_model("taxi")
        for run in ("r1", "r2"):
            registry.trained(run, rmse=5.0)
            registry.create_version("taxi", registry.sources[run, "model"], run_id=run, description="", tags={})
        registry.set_stage("taxi", 1, "Production")
        yield house


def token(house: House, role: str) -> str:
    done = house.run("token", "create", f"a-{role}", "--role", role)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_the_plan_comes_first_and_then_what_it_said(house: House, where: str, monkeypatch):
    there: tuple[str, ...] = ()
    if where == "elsewhere":
        monkeypatch.setenv("REGISTRAR_TOKEN", token(house, "operator"))
        there = ("--url", house.url)
    with house.working():
        planned = house.run(*there, "adopt", "taxi", "--plan")
        assert (planned.exit_code, house.harness.holding()) == (0, {}), planned.output
        done = house.run(*there, "adopt", "--all", "--reason", "from now on")
    for line in (
        "taxi would be taken in, and nothing moved:",
        "version 1 holds Production, and stays there",
        "version 2: tagged, and asked for Staging",
        "version 2 to Staging: ready",
    ):
        assert line in planned.output
    assert (done.exit_code, "each by an event of its own: taxi" in done.output) == (0, True), done.output
    house.harness.work()
    assert house.harness.holding() == {"Production": [1], "Staging": [2], "@challenger": [2]}
    assert "model.adopt" not in planned.output
    assert "succeeded" not in planned.output
    with house.working():
        again = house.run(*there, "adopt", "--all")
    assert (again.exit_code, "nothing is left to take in of taxi" in again.output) == (0, True), again.output
    assert "each by an event of its own" not in again.output
    assert "from now on (version 1 holds Production" in house.harness.fact("model.adopted")


def test_a_viewer_may_not(house: House, monkeypatch):
    monkeypatch.setenv("REGISTRAR_TOKEN", token(house, "viewer"))
    refused = house.run("--url", house.url, "adopt", "taxi")
    assert (refused.exit_code, "model.adopt needs operator" in refused.output) == (1, True), refused.output


@pytest.mark.parametrize("words", [(), ("taxi", "--all")])
def test_a_model_or_all_are_named(house: House, words: tuple[str, ...]):
    assert house.run("adopt", *words).exit_code == 2
