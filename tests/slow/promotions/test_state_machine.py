"""The promotion's state machine, driven at random against MLflow itself; `make machine N=500` drives it for longer.

At every step: never two holders of an exclusive target, never a promotion without the approvals that its policy asks
for, never an approval used for other evidence, and the history is what MLflow shows. In the end the journal proves it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from mlflow import MlflowClient

from registrar.ledger import Ledger
from registrar.ledger.journal.verify import verify
from tests.slow.promotions.desk import Parts
from tests.slow.promotions.machine import Machine
from tests.slow.promotions.mlflow_in_process import in_process
from tests.slow.promotions.model import Runs
from tests.slow.promotions.trouble import Clock
from tests.slow.promotions.without import FEW, FOUND_BY, without
from worker.promotions import stage_occupancy

LONGER = int(os.environ.get("MACHINE") or 0)
TAKEN_OUT = os.environ.get("WITHOUT") or None  # one of without.py
STEPS = 30
SEED = 2  # of a few the one that finds each of the faults put in on purpose


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def mlflow(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's store in this process. Over HTTP it is driven by all other tests."""
    folder = tmp_path_factory.mktemp("mlflow")
    with in_process(folder, now=clock.of_mlflow) as uri:
        MlflowClient(uri).create_experiment("machine", artifact_location=f"file://{folder}/artifacts")
        yield uri


@pytest.fixture(scope="module")
def runs(mlflow: str) -> Runs:
    return Runs(MlflowClient(mlflow))


@pytest.fixture
def parts(mlflow: str, clock: Clock, ledger_url: str, runs: Runs, tmp_path: Path) -> Parts:
    return Parts(mlflow, ledger_url, tmp_path, runs, clock, Counter[str]())


@pytest.fixture
def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one MLflow server: all that is remembered of a look is put to use."""
    monkeypatch.setattr(stage_occupancy, "APART", 0)


@pytest.mark.usefixtures("one_clock")
@pytest.mark.timeout(1200 + 30 * LONGER)
@pytest.mark.both_ledgers
def test_whatever_happens_promotions_keep_their_word(ledger: Ledger, parts: Parts) -> None:
    examples = LONGER or (20 if ledger.engine.dialect.name == "sqlite" else 4)
    try:
        with parts.clock.everywhere(), without(TAKEN_OUT):
            run_state_machine_as_test(_machine(parts), settings=_settings(examples))
    finally:
        print("\n".join(f"{count:6} {what}" for what, count in sorted(parts.seen.items())))
    with ledger.read() as connection:
        verify(connection)
    assert parts.seen["examples with a promotion to Production"] >= parts.seen["examples"] / 3


@pytest.mark.skipif(bool(LONGER), reason="make machine WITHOUT=... takes one out")
@pytest.mark.usefixtures("one_clock", "ledger")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("safeguard", FOUND_BY)
def test_what_is_taken_out_is_missed(parts: Parts, safeguard: str) -> None:
    with parts.clock.everywhere(), without(safeguard), pytest.raises(AssertionError):
        run_state_machine_as_test(seed(FOUND_BY[safeguard])(partial(Machine, parts)), settings=_settings(FEW))


def _machine(parts: Parts) -> Callable[[], Machine]:
    machine = partial(Machine, parts)
    return machine if LONGER else seed(SEED)(machine)


def _settings(examples: int) -> settings:
    """In CI the same examples each time; with MACHINE others each time, and shrunk."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if LONGER else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=True,
    )
