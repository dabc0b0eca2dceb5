"""worker.register, on training_run.finished and model_version.register: register a run's model as a version."""

import time
from dataclasses import replace

from registrar.events.outcome import LedgerChange, Outcome
from registrar.events.types import Registration
from worker.promotions import adoption, announcement, attribution, registration
from worker.promotions.registration import choose_run, commit_of, find_registered, registered_outcome
from worker.promotions.version_state import given_tag_records, recorded
from worker.registry import entities
from worker.registry.entities import ModelSource, Run, Version
from worker.registry.protocol import NotFound
from worker.task_context import TaskContext

# Seconds for checking the lease and writing. A slower worker may have been suspended in between; after 15 seconds,
# another one has its task.
SLOW = 2.0


def act(context: TaskContext) -> Outcome:
    data = context.data_as(Registration)
    # Before anything is written, so that a run without a model leaves nothing behind.
    run, source = choose_run(context.registry, data, context.policy.model(context.model))
    if earlier := find_registered(context.registry, data, run, source):
        return _existing_outcome(context, data, run, earlier)
    began = time.monotonic()
    created = _create(context, data, run, source)
    version = _keep_older(context, run, source, created, seconds=time.monotonic() - began)
    return _existing_outcome(context, data, run, version)


def _create(context: TaskContext, data: Registration, run: Run, source: ModelSource) -> Version:
    commit = _commit(data, run)
    tags = {
        **data.tags,
        "registrar.run": run.id,
        "registrar.event": context.task.event_id,
        "registrar.task": context.task.id,
        "registrar.by": context.actor_name,
        **({"registrar.commit": entities.cut_tag(commit)} if commit else {}),
    }
    built = f" at commit {commit[:12]}" if commit else ""
    line = f"registered from run {run.name or run.id} ({run.id}){built} by {context.actor_name}"
    line = registration.with_link(context, data.model, line)
    description = entities.join_description(data.description or "", line)

    def create() -> Version:
        return context.registry.create_version(data.model, source, run_id=run.id, description=description, tags=tags)

    try:
        return create()
    except NotFound:  # only for a model's first version; checking each time would be one more call
        context.registry.ensure_model(data.model)
        return create()


def _commit(data: Registration, run: Run) -> str | None:
    return data.commit or commit_of(run)


def _keep_older(context: TaskContext, run: Run, source: ModelSource, created: Version, *, seconds: float) -> Version:
    """Return the older of two versions of this run, and delete the newer one.

    There are two if an earlier attempt's call reached MLflow only after this attempt had looked for a version; or if
    this attempt is the earlier one, of a worker that was suspended between checking its lease and the write.
    """
    if context.task.attempts == 1 and seconds < SLOW:
        return created
    first = find_registered(context.registry, context.data_as(Registration), run, source) or created
    if first.version != created.version:
        context.registry.take_back(created.model, created.version)
    return first


def _existing_outcome(context: TaskContext, data: Registration, run: Run, version: Version) -> Outcome:
    """Return the outcome for a version of this run, which this task, its training, or an earlier event registered."""
    run_name = run.name or run.id
    state = recorded(context.ledger, version)
    if announcement.is_due(state):
        return announcement.announce(context, data, run, version, _commit(data, run))
    taken_in = attribution.was_taken_in(state)
    if not taken_in and version.tags.get("registrar.task") == context.task.id:
        text = f"{version} was registered from run {run_name}, by {context.actor_name}"
        outcome = registered_outcome(context, run, version, text)
        return _with(context, outcome, version, attribution.registration_records(context, version, run.user))
    if not adoption.is_registered(context, version):
        version = registration.take_up(context, data, run, version, _commit(data, run))
        text = f"{version} of run {run_name}, which was in MLflow already, was taken up by {context.actor_name}"
        outcome = registered_outcome(context, run, version, text)
        return _with(context, outcome, version, attribution.take_up_records(context, version, run.user))
    first = attribution.first_author_record(context.ledger, version, run.user)
    return Outcome(f"run {run.id} is {version} already; nothing to do", records=first)


def _with(context: TaskContext, outcome: Outcome, version: Version, people: tuple[LedgerChange, ...]) -> Outcome:
    """Add the records of people, of tags, and that the version was dealt with."""
    tags = given_tag_records(version, context.data_as(Registration).tags)
    return replace(outcome, records=(*people, *tags, *outcome.records, *adoption.advance(context, version)))
