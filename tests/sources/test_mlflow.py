"""What is special about MLflow's webhooks: its own code signs, retries keep the signature, examples are tests."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities.webhook import VALID_ENTITY_ACTIONS, WebhookAction, WebhookEntity, WebhookEvent
from mlflow.webhooks.delivery import _generate_hmac_signature
from mlflow.webhooks.types import get_example_payload_for_event

from tests.sources.captured import FIXTURES, read, sender
from webhooks.ingress.errors import InvalidEvent
from webhooks.ingress.source_types import Parsed, Request
from webhooks.signatures import schemes, verifier

ALIAS = read(FIXTURES / "mlflow" / "model_version_alias__created.http")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def normalise(entity: str, action: str, data: Any) -> Parsed:
    body = json.dumps({"entity": entity, "action": action, "timestamp": NOW.isoformat(), "data": data}).encode()
    return ALIAS.sender.normalise(Request({}, body, "application/json", NOW))


def test_the_vector_of_the_facts_verifies():
    """Computed apart from this code; the key is shorter than what is taken at start."""
    headers = {
        "x-mlflow-delivery-id": "11111111-2222-3333-4444-555555555555",
        "x-mlflow-timestamp": "1700000000",
        "x-mlflow-signature": "v1,cmoaTUfMW8GMr+fPXlHEPwMRVUVmgIiBc2jiC0OhRc0=",
    }
    verifier.verify(
        schemes.MLFLOW,
        headers=headers,
        body=b'{"entity":"model_version","action":"created"}',
        secrets=("my-secret",),
        now=datetime.fromtimestamp(1700000000, UTC),
        tolerance=300,
    )


@given(
    body=st.text(max_size=300), secret=st.text(st.characters(codec="utf-8"), min_size=16, max_size=60), id=st.uuids()
)
def test_what_mlflows_own_code_signs_verifies(body: str, secret: str, id: object):
    who, now = sender("mlflow")
    who = replace(who, context=replace(who.context, secrets=(secret,)))
    stamp = str(int(now.timestamp()))
    raw = body.encode("utf-8", "replace")
    made = _generate_hmac_signature(secret, str(id), stamp, raw.decode())
    headers = {"x-mlflow-delivery-id": str(id), "x-mlflow-timestamp": stamp, "x-mlflow-signature": made}
    assert who.verify(Request(headers, raw, "application/json", now)).delivery_id == str(id)


def test_a_secret_that_looks_like_standard_webhooks_is_taken_as_it_stands():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    who, now = sender("mlflow")
    who.kind.check_secret(secret)
    who = replace(who, context=replace(who.context, secrets=(secret,)))
    stamp = str(int(now.timestamp()))
    made = _generate_hmac_signature(secret, "id", stamp, "{}")
    headers = {"x-mlflow-delivery-id": "id", "x-mlflow-timestamp": stamp, "x-mlflow-signature": made}
    assert who.verify(Request(headers, b"{}", "application/json", now)).secret_index == 0


EVENTS = [
    (WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED),
    (WebhookEntity.MODEL_VERSION, WebhookAction.CREATED),
    (WebhookEntity.MODEL_VERSION_TAG, WebhookAction.SET),
    (WebhookEntity.MODEL_VERSION_TAG, WebhookAction.DELETED),
    (WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED),
    (WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.DELETED),
]


@pytest.mark.parametrize(("entity", "action"), EVENTS)
def test_what_test_webhook_sends_is_answered_as_a_test(entity: WebhookEntity, action: WebhookAction):
    example = get_example_payload_for_event(WebhookEvent(entity, action))
    parsed = normalise(entity.value, action.value, example)
    assert parsed.events == ()
    assert parsed.answer
    assert parsed.answer.body == {"events": [], "test": True}


def test_a_real_model_of_the_examples_name_is_no_test():
    data = {"name": "example_model", "version": "2", "source": "models:/m-1", "run_id": "r1", "tags": {}}
    assert len(normalise("model_version", "created", data).events) == 1


OTHERS = sorted((str(entity), str(action)) for entity, actions in VALID_ENTITY_ACTIONS.items() for action in actions)


@pytest.mark.parametrize(
    ("entity", "action"),
    [*OTHERS, ("model_version", "deleted"), ("gateway_endpoint", "created"), ("x" * 999, "\x1b")],
)
def test_what_else_mlflow_says_is_ignored_by_name(entity: str, action: str):
    if (entity, action) in [(str(one), str(other)) for one, other in EVENTS]:
        return
    parsed = normalise(entity, action, {"name": "taxi-prompt"})
    assert parsed.events == ()
    assert parsed.answer
    said = parsed.answer.body["ignored"]
    assert said.startswith(entity[:100])
    assert said.isprintable()


def test_a_change_of_a_model_that_has_no_name_here_is_answered_with_a_200():
    """MLflow takes such names, and nobody there reads why we don't."""
    with pytest.raises(InvalidEvent) as caught:
        normalise("registered_model", "created", {"name": "taxi\u202e"})
    assert ALIAS.sender.refusal_body(ALIAS.request, caught.value) == {"events": [], "refused": caught.value.detail}


@pytest.mark.parametrize(
    ("entity", "action", "data"),
    [
        ("registered_model", "created", {}),
        ("registered_model", "created", {"name": "a/b"}),
        ("registered_model", "created", {"name": 7}),
        ("registered_model", "created", None),
        ("model_version", "created", {"name": "m", "version": "two"}),
        ("model_version", "created", {"name": "m", "version": True}),
        ("model_version_alias", "created", {"name": "m", "alias": ["x"], "version": "1"}),
        ("model_version_tag", "set", {"name": "m", "version": "1", "key": "k", "value": {"a": 1}}),
        ("", "", {}),
    ],
)
def test_what_is_no_event_of_the_registry_is_refused(entity: str, action: str, data: Any):
    with pytest.raises(InvalidEvent):
        normalise(entity, action, data)
