"""worker.describe, on model_version.describe: a version's description is replaced, tags are added."""

from registrar.outcome import Fact, Outcome
from registrar.vocabulary import ModelVersionDescribe
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(ModelVersionDescribe)
    version = work.registry.version(data.model, data.version)
    if data.description is not None and data.description != version.description:
        work.registry.set_description(data.model, data.version, data.description)
    for key, value in data.tags.items():
        if version.tags.get(key) != value:
            work.registry.set_tag(data.model, data.version, key, value)
    text = f"{version} was described by {work.who}"
    return Outcome(text, facts=(Fact("model_version.described", text, data.model, data.version),))
