"""MLflow's own webhooks: changes made by hand in its UI, and echoes of our own writes.

https://mlflow.org/docs/latest/ml/webhooks/
MLflow says what changed, never who changed it, so worker/actions/observe.py compares the registry with the ledger.
Stage transitions, descriptions and deletions send nothing (mlflow/server/handlers.py of 3.17).
"""

from collections.abc import Mapping
from typing import Any

from registrar.events.event import Actor, Event
from webhooks.ci.payload import Ignored, at, moment, refusal, text
from webhooks.ingress import strict_json, validation
from webhooks.ingress.errors import InvalidEvent, Rejected
from webhooks.ingress.source_types import Answer, Context, Parsed, Request, Verified
from webhooks.ingress.validation import clean
from webhooks.signatures import schemes, verifier

CONTENT_TYPES = frozenset({"application/json"})
SCHEME = schemes.MLFLOW
_CHANGES = {
    "registered_model": frozenset({"created"}),
    "model_version": frozenset({"created"}),
    "model_version_tag": frozenset({"set", "deleted"}),
    "model_version_alias": frozenset({"created", "deleted"}),
}
# Sent by `test_webhook` and the UI's "Test", signed like all others (mlflow/webhooks/types.py).
_EXAMPLES: dict[str, dict[str, Any]] = {
    "registered_model": {"name": "example_model", "tags": {"example_key": "example_value"}},
    "model_version": {"name": "example_model", "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678"},
    "model_version_tag": {"name": "example_model", "version": "1", "key": "example_key"},
    "model_version_alias": {"name": "example_model", "alias": "example_alias"},
}
_LONGEST_VALUE = 500  # characters of a tag; MLflow takes 100,000


def check_secret(secret: str) -> None:
    verifier.check_secret(SCHEME, secret)


def verify(request: Request, context: Context) -> Verified:
    """Verify a request. X-MLflow-Delivery-Id is signed, and the same in each attempt."""
    return verifier.verified(SCHEME, request, context)


def normalise(request: Request, context: Context) -> Parsed:
    payload = strict_json.parse_theirs(request.body)
    entity, action, data = text(payload, "entity"), text(payload, "action"), at(payload, "data")
    if not entity or not action or not isinstance(data, dict):
        raise InvalidEvent("not one of MLflow's events, which have entity, action and data")
    if action not in _CHANGES.get(entity, ()):  # prompts, budgets, gateways and others
        return Ignored(f"{clean(entity)}.{clean(action)} is no change of a registered model").parsed
    if _EXAMPLES[entity].items() <= data.items():
        return Parsed(answer=Answer(200, {"events": [], "test": True}))
    changed = validation.data("registry.changed", _changed(entity, action, data))
    actor = Actor(f"source:{context.name}", f"somebody in MLflow ({context.name})")
    return Parsed((Event(changed, actor, moment(text(payload, "timestamp"), otherwise=request.received_at)),))


def refuse(request: Request, rejected: Rejected) -> Mapping[str, Any] | None:
    """Answer unusable names and keys with a 200: in MLflow nobody reads a refusal."""
    del request
    return refusal(rejected)


def _changed(entity: str, action: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of RegistryChanged, a tag's value cut to a readable length."""
    fields = {"model": data.get("name"), "change": f"{entity}.{action}"}
    if entity != "registered_model":
        fields["version"] = data.get("version")  # absent in alias.deleted
    if entity == "model_version_alias":
        fields["alias"] = data.get("alias")
    if entity == "model_version_tag":
        fields["key"] = data.get("key")
        fields["value"] = value[:_LONGEST_VALUE] if isinstance(value := data.get("value"), str) else value
    return fields
