"""Only what is this kind's own; the rest is in the fixtures and in tests/webhooks/test_error_handlers.py."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.sources.captured import sender
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.source_types import Parsed, Request


def normalise(content: Any) -> Parsed:
    who, now = sender("standard")
    return who.normalise(Request({}, json.dumps(content).encode(), "application/json", now))


def test_the_time_it_happened_may_be_long_ago():
    """An outage of CI or of the receiver: the signature is new for each attempt, the event's time is not."""
    who, now = sender("standard")
    long_ago = (now - timedelta(days=30)).isoformat()
    body = f'{{"type": "training_run.failed", "timestamp": "{long_ago}", "data": {{"model": "m"}}}}'.encode()
    [event] = who.normalise(Request({}, body, "application/json", now)).events
    assert event.occurred_at == now - timedelta(days=30)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "user.created", "timestamp": "2026-11-22T12:00:00Z", "data": {"id": 1}},
        {"type": "invoice.paid", "data": {}, "id": "evt_1", "object": "event", "api_version": "2026-01-01"},
        {"type": "response.completed", "created_at": 1764427213, "data": None},
        {"type": "deployment.created", "payload": [1]},
        {"type": "training_run.completed"},
        {"type": "\u202e" * 5000},
    ],
)
def test_what_is_not_meant_for_registrar_is_ignored_by_its_type(content: dict[str, Any]):
    parsed = normalise(content)
    assert parsed.events == ()
    assert parsed.answer
    said = parsed.answer.body["ignored"]
    assert (parsed.answer.status, "is none of Registrar's" in said) == (200, True)
    assert said.isprintable()
    assert len(said) < 200


def test_a_type_that_is_like_one_of_ours_is_ignored_with_the_one_that_may_be_meant():
    parsed = normalise({"type": "training_run.done", "data": {"model": "taxi", "run_id": "r1"}})
    assert parsed.answer
    said = "the type 'training_run.done' is none of Registrar's; did you mean training_run.finished?"
    assert parsed.answer.body["ignored"] == said


@pytest.mark.parametrize(
    ("type_", "meant"),
    [
        ("training_run.finishd", "training_run.finished"),
        ("training-run.finished", "training_run.finished"),
        ("Training_run.finished", "training_run.finished"),
        ("model_version.registered", "model_version.register"),
    ],
)
def test_a_type_of_ours_that_is_misspelt_is_refused(type_: str, meant: str):
    """It would be lost, and whoever sends it thinks that a model is registered."""
    with pytest.raises(InvalidEvent, match=f"did you mean {meant}"):
        normalise({"type": type_, "data": {"model": "taxi", "run_id": "r1"}})


@pytest.mark.parametrize("content", [{}, {"data": {}}, {"type": None, "data": {}}, {"type": 5, "data": {}}, [], None])
def test_what_has_no_type_was_meant_for_somebody_who_reads_it(content: Any):
    with pytest.raises(InvalidEvent, match=r"type must be a text|must be one JSON object"):
        normalise(content)
