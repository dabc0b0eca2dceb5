"""A short run of the harness on PostgreSQL, in a file of its own: files run side by side.

For hours of it: make chaos SECONDS=7200 SEED=7 LEDGER=postgresql.
"""

from pathlib import Path

import pytest

from tests.slow.chaos.run import SHORT, run


@pytest.mark.timeout(900)
def test_whatever_breaks_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path):
    findings, table = run(seconds=SHORT, seed=2, ledger="postgresql", folder=tmp_path)
    print(table)
    assert (findings.lost, findings.doubled, findings.wrong) == (0, 0, [])
