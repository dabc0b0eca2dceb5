"""Ask MLflow what changed (poll_every), and submit the events that its webhook would have sent: where it has none, and
for those that it lost.

MLflow lists its registered models, each with its newest version and its aliases. That is compared with what the last
poll saw, so no clock counts and nothing of a model need be listed. A crash before that is stored repeats the same
delivery ids, which are accepted once; what the webhook told as well is observed twice, and then nothing is left to do.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice

from pydantic import ValidationError

from registrar.broker.celery_app import publish
from registrar.broker.task_message import TaskMessage
from registrar.events.event import Actor, Event
from registrar.events.types import RegistryChanged
from registrar.ledger import LedgerUnavailable, registry_polls
from registrar.ledger.event_rows import Delivery
from registrar.ledger.inbox import Submission
from registrar.ledger.registry_polls import Poll, SeenModel
from registrar.policy.document import OURSELVES
from worker.context import WorkerContext
from worker.registry.entities import Model
from worker.registry.protocol import Registry, RegistryError, find_model

log = logging.getLogger(__name__)

NAME = "worker.poll"  # its Celery task; it is no action, as it belongs to no event
ACTOR = Actor(f"source:{OURSELVES}", "somebody in MLflow")
_LEAST_PAUSE = timedelta(minutes=1)  # after a poll that did not end: it may still be waiting for MLflow
_MOST_MISSING = 20  # models that are missing in the list, and are looked for by name, in one poll
_MAX_TROUBLE = 500  # characters
_NO_BODY = "0" * 64  # the digest of a delivery without one


def publish_if_due(worker_context: WorkerContext) -> None:
    """Publish a poll, once in each period however many workers ask. Raises LedgerUnavailable."""
    if (every := worker_context.policy.poll_every) is None:
        return
    at, pause = worker_context.now(), max(every, _LEAST_PAUSE)
    with worker_context.ledger.read() as connection:
        if not registry_polls.is_due(connection, at=at, pause=pause):
            return
    with worker_context.ledger.write() as connection:
        claimed = registry_polls.claim(connection, at=at, pause=pause)
    if claimed:
        publish(worker_context.app, [TaskMessage(f"poll-{at.isoformat()}", NAME)])


def poll(worker_context: WorkerContext) -> None:
    """Poll MLflow, and return once its changes are durable. Without MLflow or the ledger, the next poll does it."""
    every, began = worker_context.policy.poll_every, worker_context.now()
    if every is None:
        return
    registry = worker_context.registry(lambda: None)
    try:
        with worker_context.ledger.read() as connection:
            before = registry_polls.last_poll(connection)
        try:
            models = _list(registry, before)
        except RegistryError as error:
            _note_trouble(worker_context, before, str(error))
            return
        if _is_known(before, registry.address, models):
            _submit(worker_context, changes(before.models, models), before.number)
        with worker_context.ledger.write() as connection:
            registry_polls.save(connection, before, registry.address, models, at=began, due_at=began + every)
    except LedgerUnavailable as error:
        log.warning("what changed in MLflow is left to the next poll: the ledger %s (%s)", error.reason, error)


def changes(before: Mapping[str, SeenModel], now: Mapping[str, SeenModel]) -> Iterator[dict[str, object]]:
    """Yield the fields of RegistryChanged for each change that MLflow's webhook would have told."""
    for name, model in now.items():
        last = before.get(name)
        if last is None or last.created != model.created:
            last = _former_name(before, now, model)
        if last is None:
            yield {"model": name, "change": "registered_model.created"}
            last = SeenModel(model.created, 0)
        for number in range(last.newest + 1, model.newest + 1):
            yield {"model": name, "change": "model_version.created", "version": number}
        for alias, number in model.aliases.items():
            if last.aliases.get(alias) != number:
                yield {"model": name, "change": "model_version_alias.created", "alias": alias, "version": number}
        for alias in last.aliases.keys() - model.aliases.keys():
            yield {"model": name, "change": "model_version_alias.deleted", "alias": alias}


def _former_name(before: Mapping[str, SeenModel], now: Mapping[str, SeenModel], model: SeenModel) -> SeenModel | None:
    """Return a model as it was before it was renamed, of which MLflow's webhook tells nothing; None: it is new."""
    gone = [last for name, last in before.items() if name not in now]
    same = [last for last in gone if last.created == model.created != 0]
    return same[0] if len(same) == 1 else None


def _list(registry: Registry, before: Poll) -> dict[str, SeenModel]:
    """Return all models by name. A page of MLflow's list skips one while another is deleted: what is missing is looked
    for by name, some in each poll, and until then counts as it was.
    """
    listed = {model.name: _seen(model) for model in registry.models(max_results=None)}
    missing = [name for name in before.models if name not in listed]
    for name in islice(missing, _MOST_MISSING):
        if found := find_model(registry, name):
            listed[name] = _seen(found)
    return listed | {name: before.models[name] for name in missing[_MOST_MISSING:]}


def _seen(model: Model) -> SeenModel:
    created = round(model.created_at.timestamp() * 1000) if model.created_at else 0
    return SeenModel(created, model.newest, model.aliases)


def _is_known(before: Poll, address: str, models: Mapping[str, SeenModel]) -> bool:
    """Return whether `before` is of this registry; of another one, all would be new. It may have a new address."""
    shared = before.models.keys() & models.keys()
    return before.registry == address or any(before.models[name].created == models[name].created for name in shared)


def _submit(worker_context: WorkerContext, found: Iterable[Mapping[str, object]], number: int) -> None:
    at, receipts = worker_context.now(), []
    for fields in found:
        if not worker_context.policy.model(str(fields["model"])).poll_every:
            continue
        try:
            event = Event(RegistryChanged.model_validate(fields), ACTOR, at)
        except ValidationError:  # a name that no event may have, as the webhook's would be refused
            log.debug("a change in MLflow has a name that can't be used: %r", fields)
            continue
        delivery = Delivery(OURSELVES, _delivery_id(number, fields), _NO_BODY)
        receipts.append(worker_context.inbox.submit(Submission(delivery, [event], at, entrance="poll")))
    for receipt in receipts:
        receipt.result()
    if receipts:
        log.info("poll: MLflow shows %d change(s)", len(receipts))


def _delivery_id(number: int, fields: Mapping[str, object]) -> str:
    """Return the same id for the same change since the same poll: names may be longer than an id."""
    text = "\n".join(f"{key}={value}" for key, value in sorted(fields.items()))
    return f"poll:{number}:{hashlib.sha256(text.encode()).hexdigest()}"


def _note_trouble(worker_context: WorkerContext, before: Poll, trouble: str) -> None:
    if before.trouble is None:
        log.warning("MLflow can't be asked what changed: %s", trouble)
    with worker_context.ledger.write() as connection:
        registry_polls.save_trouble(connection, trouble[:_MAX_TROUBLE])
