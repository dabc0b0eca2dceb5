"""worker.describe, on model_version.describe: a version's description is replaced, tags are added.

What MLflow refuses by its name or its length is known before anything is written. Where it refuses one of several all
the same, the others are written, and both are told.
"""

from collections.abc import Callable, Iterator
from functools import partial

from registrar.outcome import Fact, Outcome
from registrar.vocabulary import ModelVersionDescribe
from worker import limits
from worker.door import Failure, Final, Version
from worker.work import Work

Write = tuple[str, Callable[[], None]]  # what of the version, and what writes it


def act(work: Work) -> Outcome:
    data = work.data_as(ModelVersionDescribe)
    _check(data)
    version = work.registry.version(data.model, data.version)
    refused: list[str] = []
    for what, write in _writes(work, data, version):
        try:
            write()
        except Failure as error:
            if not work.ends(error):
                raise
            refused.append(f"{what} ({error})")
    if len(refused) == len(data.tags) + (data.description is not None):
        raise Final(f"nothing of {version} was written: {', '.join(refused)}")
    text = f"{version} was described by {work.who}" + (f"; not written: {', '.join(refused)}" if refused else "")
    details = {"created_at": version.created_at.isoformat()}
    return Outcome(text, facts=(Fact("model_version.described", text, data.model, data.version, details),))


def _check(data: ModelVersionDescribe) -> None:
    """Raises Final for what must not, or can't, be written."""
    if wrong := [key for key in data.tags if limits.refused_key(key)]:
        may = "letters, digits, blanks and _.-:/ only, and no path with // or .."
        raise Final(f"MLflow takes no tag named {', '.join(wrong)}: {may}")
    if len(data.description or "") > limits.DESCRIPTION:
        raise Final(f"the description is too long: MLflow keeps {limits.DESCRIPTION:,} characters")


def _writes(work: Work, data: ModelVersionDescribe, version: Version) -> Iterator[Write]:
    """What is not as asked yet."""
    if data.description is not None and data.description != version.description:
        said = data.description
        yield "its description", partial(work.registry.set_description, data.model, data.version, said)
    for key, value in data.tags.items():
        if version.tags.get(key) != value:
            yield f"its tag {key}", partial(work.registry.set_tag, data.model, data.version, key, value)
