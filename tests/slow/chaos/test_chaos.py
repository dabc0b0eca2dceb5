"""A short run of the harness. For hours of it: make chaos SECONDS=7200 SEED=7 LEDGER=postgresql."""

import pytest

from tests.slow.chaos.run import run

SECONDS = 90


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("ledger", "seed"), [("sqlite", 1), ("postgresql", 2)])
def test_whatever_breaks_nothing_is_lost_doubled_or_out_of_order(ledger, seed, tmp_path):
    findings, table = run(seconds=SECONDS, seed=seed, ledger=ledger, folder=tmp_path)
    print(table)
    assert (findings.lost, findings.doubled, findings.wrong) == (0, 0, [])
