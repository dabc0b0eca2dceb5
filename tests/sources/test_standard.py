"""Only what is this kind's own; the rest is in the fixtures and in tests/webhooks/test_refusals.py."""

from datetime import timedelta

from tests.sources.captured import sender
from webhooks.source import Request


def test_the_time_it_happened_may_be_long_ago():
    """An outage of CI or of the receiver: the signature is new for each attempt, the event's time is not."""
    who, now = sender("standard")
    long_ago = (now - timedelta(days=30)).isoformat()
    body = f'{{"type": "training_run.failed", "timestamp": "{long_ago}", "data": {{"model": "m"}}}}'.encode()
    [event] = who.normalise(Request({}, body, "application/json", now)).events
    assert event.occurred_at == now - timedelta(days=30)
