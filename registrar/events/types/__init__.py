"""The types of events: facts in the past tense, commands in the imperative, each with its data.

A payload names models, versions, runs and experiments; never URIs, paths, task names or commands.
To add a type, write a subclass of `Data` in the fitting file of this folder, with the Celery task that it starts.
"""

import difflib
from typing import Any

from registrar.events.states import STAGES
from registrar.events.types.promotions import (
    ModelReview,
    ModelRollback,
    PromotionApprove,
    PromotionCancel,
    PromotionReject,
    PromotionRequest,
    Vote,
)
from registrar.events.types.recovery import EventReplay, TaskDrop, TaskRetry
from registrar.events.types.registry import (
    ModelAdopt,
    ModelArchive,
    ModelPrune,
    RegistryChanged,
    RegistryQuery,
    RegistryReconcile,
    RegistrySettle,
)
from registrar.events.types.runs import (
    ArtifactsFetch,
    EvaluationRunFinished,
    ExperimentCreate,
    ModelVersionRegister,
    Registration,
    RunSearch,
    TrainingRunFailed,
    TrainingRunFinished,
)
from registrar.events.types.terms import (
    LINK,
    MODEL_LANE,
    ArtifactPath,
    Data,
    Link,
    ModelName,
    Name,
    OneVersion,
    RunId,
    Stage,
    Tags,
    Text,
    Version,
)
from registrar.events.types.versions import (
    Deployment,
    DeploymentFailed,
    DeploymentSucceeded,
    ModelVersionArchive,
    ModelVersionDescribe,
    ModelVersionTransition,
    QuarantineLift,
)

__all__ = [
    "LINK",
    "MODEL_LANE",
    "STAGES",
    "VOCABULARY",
    "ArtifactPath",
    "ArtifactsFetch",
    "Data",
    "Deployment",
    "DeploymentFailed",
    "DeploymentSucceeded",
    "EvaluationRunFinished",
    "EventReplay",
    "ExperimentCreate",
    "Link",
    "ModelAdopt",
    "ModelArchive",
    "ModelName",
    "ModelPrune",
    "ModelReview",
    "ModelRollback",
    "ModelVersionArchive",
    "ModelVersionDescribe",
    "ModelVersionRegister",
    "ModelVersionTransition",
    "Name",
    "OneVersion",
    "PromotionApprove",
    "PromotionCancel",
    "PromotionReject",
    "PromotionRequest",
    "QuarantineLift",
    "Registration",
    "RegistryChanged",
    "RegistryQuery",
    "RegistryReconcile",
    "RegistrySettle",
    "RunId",
    "RunSearch",
    "Stage",
    "Tags",
    "TaskDrop",
    "TaskRetry",
    "Text",
    "TrainingRunFailed",
    "TrainingRunFinished",
    "UnknownType",
    "Version",
    "Vote",
    "parse",
]


def _leaves(kind: type[Data]) -> list[type[Data]]:
    subclasses = kind.__subclasses__()
    return [leaf for sub in subclasses for leaf in _leaves(sub)] if subclasses else [kind]


VOCABULARY: dict[str, type[Data]] = {kind.type: kind for kind in _leaves(Data)}


class UnknownType(ValueError):
    """An event type that is not in the vocabulary; the message lists the types."""


def parse(type_: str, data: dict[str, Any]) -> Data:
    """Validate `data` as the data of an event of type `type_`.

    Raises UnknownType, or pydantic.ValidationError with one entry per wrong or missing field.
    """
    try:
        kind = VOCABULARY[type_]
    except KeyError:
        near = difflib.get_close_matches(type_[:80], VOCABULARY, n=1)
        suggestion = f" (did you mean {near[0]}?)" if near else ""
        raise UnknownType(
            f"unknown event type {type_[:80]!r}{suggestion}; known are {', '.join(sorted(VOCABULARY))}"
        ) from None
    return kind.model_validate(data)
