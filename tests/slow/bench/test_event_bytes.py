"""The bench of bytes counts what an event leaves behind."""

from tests.bench import event_bytes
from tests.bench.options import Options


def test_it_counts_the_rows_and_the_bytes_of_each_table():
    result = event_bytes.measure(Options(events=3))
    rows = {row[0]: row[1:] for row in result.table.rows}
    assert (rows["events"][0], rows["events"][3]) == (1, 1)
    assert (rows["promotions"][0], rows["votes"][0], rows["votes"][3]) == (2, 0, 1)
    assert all(isinstance(figure, int | float) for row in rows.values() for figure in row)
    assert all(target.figure > 0 for target in result.targets if "WAL" in target.claim)
