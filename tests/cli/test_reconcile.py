"""`registrar reconcile`: what it compares, and what an operator's answer does, over HTTP and through the ledger."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.cli.setting import House, living


@pytest.fixture
def house(tmp_path, ledger, ledger_url) -> Iterator[House]:
    """The record knows version 1 in Staging; MLflow shows one that is older than that."""
    with living(tmp_path, ledger, ledger_url) as house:
        house.harness.registry.trained("r1", rmse=5.0)
        house.run("send", "training_run.finished", "model=taxi", "run_id=r1")
        house.harness.work()
        house.harness.registry.delete_model("taxi")
        house.harness.registry.born -= timedelta(days=30)
        house.harness.registry.trained("r0", rmse=5.0)
        house.harness.registry.ensure_model("taxi")
        source = house.harness.registry.sources["r0", "model"]
        house.harness.registry.create_version("taxi", source, run_id="r0", description="", tags={})
        yield house


def test_without_a_model_every_one_that_holds_something_is_compared(house: House):
    with house.working():
        done = house.run("reconcile")
    assert done.exit_code == 0, done.output
    assert "nothing was compared: MLflow and the record of taxi don't fit together" in done.output
    assert house.harness.holding() == {"Staging": [1], "@challenger": [1]}


@pytest.mark.parametrize("trust", ["mlflow", "ledger"])
def test_after_the_answer_it_is_settled(house: House, trust: str):
    """Neither makes another version what was let in."""
    with house.working():
        house.run("reconcile", "taxi")
        planned = house.run("reconcile", "taxi", "--plan")
        assert f"--trust {trust} would: end what the record has of version 1 that is gone" in planned.output
        done = house.run("reconcile", "taxi", "--trust", trust, "--reason", "it was restored")
        again = house.run("reconcile", "taxi")
    assert (done.exit_code, "counts for taxi: it was restored" in done.output) == (0, True), done.output
    assert "taxi is in MLflow as the record has it" in again.output
    assert (house.harness.holding(), house.harness.stages()) == ({}, {1: "None"})


def test_a_reason_is_for_an_answer(house: House):
    assert house.run("reconcile", "taxi", "--reason", "so").exit_code == 2


def test_of_nothing_there_is_nothing_to_compare(tmp_path, ledger, ledger_url):
    with living(tmp_path, ledger, ledger_url) as house:
        done = house.run("reconcile")
    assert (done.exit_code, "knows of no model that holds" in done.output) == (1, True)
