"""Beat triggers its tasks whatever happens to the clock: by the time of day it would pause while that goes back."""

import pytest
from celery import Celery

from worker import beat


@pytest.mark.parametrize("name", beat.SCHEDULE)
def test_what_is_due_is_told_by_the_time_that_passes_and_not_by_the_time_of_day(name, monkeypatch):
    entry, at = beat.SCHEDULE[name]["schedule"], 100.0
    monkeypatch.setattr("worker.beat.time.monotonic", lambda: at)
    monkeypatch.setattr(Celery, "now", lambda app: pytest.fail("beat asked for the time of day"))
    triggered = entry.now()
    assert not entry.is_due(triggered).is_due
    at += entry.run_every.total_seconds()
    assert entry.is_due(triggered).is_due
