"""worker.describe, on model_version.describe: replace a version's description, set tags.

Where MLflow refuses one of them, the others are written, and the outcome says both. A late retry overwrites no tag that
a later event set.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.types import ModelVersionDescribe
from registrar.ledger.version_state import TAG, reported_seq
from worker.promotions.version_state import given_tag_records
from worker.registry.entities import Version
from worker.registry.protocol import PermanentError, Refused, RegistryError
from worker.task_context import TaskContext

# A tag's name or None, its name for people, and the call that writes it.
Write = tuple[str | None, str, Callable[[], object]]


def act(context: TaskContext) -> Outcome:
    data = context.data_as(ModelVersionDescribe)
    version = context.registry.version(data.model, data.version)
    refused: list[str] = []
    mistaken = True  # whether everything that was not written is the requester's mistake
    newer = _set_since(context, version, data.tags)
    tags = {key: value for key, value in data.tags.items() if key not in newer}
    count = len(tags) + (data.description is not None)
    for key, what, write in _writes(context, data, version, dict(tags)):
        try:
            write()
        except RegistryError as error:
            if not context.ends(error):
                raise
            refused.append(f"{what} ({error})")
            mistaken = mistaken and isinstance(error, Refused)
            tags.pop(key or "", None)
    if refused and len(refused) == count:
        raise (Refused if mistaken else PermanentError)(f"nothing of {version} was written: {', '.join(refused)}")
    refused += [f"its tag {key} (it was given since)" for key in newer]
    text = f"{version} was described by {context.actor_name}" + (
        f"; not written: {', '.join(refused)}" if refused else ""
    )
    if not count:
        return Outcome(f"nothing of {version} was written: {', '.join(refused)}")
    details = {"created_at": version.created_at.isoformat()}
    fact = Fact(FactType.MODEL_VERSION_DESCRIBED, text, data.model, data.version, details)
    return Outcome(text, facts=(fact,), records=given_tag_records(version, tags))


def _set_since(context: TaskContext, version: Version, tags: Iterable[str]) -> list[str]:
    """Return the tags that a later event set."""
    about = (version.model, version.version, version.created_at)
    with context.ledger.read() as connection:
        return [
            name for name in tags if (reported_seq(connection, *about, f"{TAG}{name}") or 0) > context.task.original_seq
        ]


def _writes(
    context: TaskContext, data: ModelVersionDescribe, version: Version, tags: Mapping[str, str]
) -> Iterator[Write]:
    """Yield the writes of the values that are not as requested yet."""
    text = data.description
    if text is not None and text != version.description:
        yield None, "its description", partial(context.registry.set_description, data.model, data.version, text)
    for key, value in tags.items():
        if version.tags.get(key) != value:
            yield key, f"its tag {key}", partial(context.registry.set_tag, data.model, data.version, key, value)
