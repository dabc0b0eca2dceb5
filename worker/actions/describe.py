"""worker.describe, on model_version.describe: a version's description is replaced, tags are added.

What MLflow refuses by its name or its length is known before anything is written. Where it refuses one of several all
the same, the others are written, and both are told.
"""

from collections.abc import Callable, Iterator
from functools import partial

from registrar.outcome import Fact, Outcome
from registrar.vocabulary import ModelVersionDescribe
from worker.door import Failure, Final, Version
from worker.promotion.version_state import given
from worker.work import Work

# The tag, if it is one; what of the version, for people; and what writes it.
Write = tuple[str | None, str, Callable[[], None]]


def act(work: Work) -> Outcome:
    data = work.data_as(ModelVersionDescribe)
    version = work.registry.version(data.model, data.version)
    refused: list[str] = []
    tags = dict(data.tags)
    for key, what, write in _writes(work, data, version):
        try:
            write()
        except Failure as error:
            if not work.ends(error):
                raise
            refused.append(f"{what} ({error})")
            tags.pop(key or "", None)
    if len(refused) == len(data.tags) + (data.description is not None):
        raise Final(f"nothing of {version} was written: {', '.join(refused)}")
    text = f"{version} was described by {work.who}" + (f"; not written: {', '.join(refused)}" if refused else "")
    details = {"created_at": version.created_at.isoformat()}
    fact = Fact("model_version.described", text, data.model, data.version, details)
    return Outcome(text, facts=(fact,), records=given(version, tags))


def _writes(work: Work, data: ModelVersionDescribe, version: Version) -> Iterator[Write]:
    """What is not as asked yet."""
    if data.description is not None and data.description != version.description:
        said = data.description
        yield None, "its description", partial(work.registry.set_description, data.model, data.version, said)
    for key, value in data.tags.items():
        if version.tags.get(key) != value:
            yield key, f"its tag {key}", partial(work.registry.set_tag, data.model, data.version, key, value)
