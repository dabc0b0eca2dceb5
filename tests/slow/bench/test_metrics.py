"""The bench of the journal's metrics measures what it says: the journal is a real one, and a scrape shows all of it."""

import pytest

from registrar.ledger.journal.chain import ChainVerifier
from registrar.ledger.journal.stream import entries
from registrar.policy.load import parse
from tests.bench import lives, metrics
from tests.bench.options import Options
from tests.metrics.reading import scraped
from webhooks.monitoring.metrics import journal_metrics
from webhooks.monitoring.metrics.journal_metrics import JournalCollector


@pytest.mark.both_ledgers
def test_a_filled_journal_is_proven_and_counted(ledger, monkeypatch):
    count = lives.fill_journal(ledger, 100, models=2)
    with ledger.read() as connection:
        chain = ChainVerifier(entries(connection))
        bodies = list(chain)
    assert (len(bodies), chain.head.seq) == (count, count)
    assert {body["model"] for body in bodies} == {"model-0", "model-1"}
    monkeypatch.setattr(journal_metrics, "WAIT", 30.0)
    found = scraped(JournalCollector(ledger, parse(lives.REGISTRAR_YML)))
    of_each_life = sum(body["kind"] == "promotion.opened" for body in bodies) / 2
    assert found["registrar_promotions_total"]["*", "Production", "promoted"] == of_each_life
    assert found["registrar_lead_time_seconds_count"]["*", "Production", "trained_to_promoted"] == of_each_life
    assert found["registrar_lead_time_seconds_count"]["*", "Production", "promoted_to_live"] == of_each_life


def test_both_starts_are_measured():
    result = metrics.measure(Options(ledgers=("sqlite",), rounds=1, events=100))
    assert [row[:2] for row in result.table.rows] == [("sqlite", metrics.FIRST), ("sqlite", metrics.LATER)]
    assert all(figure > 0 for row in result.table.rows for figure in row[2:])
