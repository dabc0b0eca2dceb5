"""Announcement: a training event names the run of a version that was taken in from MLflow before it came.

MLflow's webhook is mostly faster than the last step of a CI job. So the event adds what it knows, once: its tags, its
commit, its description. Targets that the version was held back from are tried again, as a gate may ask for such a tag.
"""

from collections.abc import Iterator, Mapping

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.events.types import Registration
from registrar.ledger.version_state import Key, StateSet
from worker.promotions.adoption import COMMIT, commit_record
from worker.promotions.attribution import was_taken_in
from worker.promotions.version_state import current_stage, given_tag_records, held_back_key, recorded
from worker.registry import entities
from worker.registry.entities import Run, Version
from worker.task_context import TaskContext


def is_due(state: Mapping[str, str]) -> bool:
    """Return whether a version was taken in, and no event has announced its run. state: by the record."""
    return was_taken_in(state) and Key.ANNOUNCED not in state


def announce(context: TaskContext, data: Registration, run: Run, version: Version, commit: str | None) -> Outcome:
    """Write the event's tags, commit and description, and try again what held the version back."""
    tags = {**data.tags, **({COMMIT: entities.cut_tag(commit)} if commit else {})}
    for key, value in tags.items():
        if version.tags.get(key) != entities.cut_tag(value):
            context.registry.set_tag(version.model, version.version, key, value)
    if data.description and data.description not in version.description:
        text = entities.join_description(data.description, version.description)
        context.registry.set_description(version.model, version.version, text)
    text = f"{version}, taken in from MLflow, is of run {run.name or run.id}, which {context.actor_name} announced"
    details = {"run_id": run.id, "commit": commit, "created_at": version.created_at.isoformat()}
    fact = Fact(FactType.MODEL_VERSION_DESCRIBED, text, version.model, version.version, details)
    return Outcome(text, (fact,), tuple(_requests(context, version)), tuple(_records(context, data, version, commit)))


def _requests(context: TaskContext, version: Version) -> Iterator[FollowUp]:
    policy, state = context.policy.model(version.model), recorded(context.ledger, version)
    for target in policy.next_targets(current_stage(policy, version)):
        if held_back_key(target) in state:
            yield FollowUp("worker.request", {"version": version.version, "target": target.stage})


def _records(context: TaskContext, data: Registration, version: Version, commit: str | None) -> Iterator[LedgerChange]:
    yield StateSet(version.model, version.version, version.created_at, Key.ANNOUNCED, context.task.event_id, once=True)
    yield from given_tag_records(version, data.tags)
    if commit:
        yield commit_record(version, commit)
