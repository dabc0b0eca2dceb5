"""What a person's command may leave to the record: its version, and the stage of a step back.

registrar/queries/omitted_version.py fills it in before the event is committed, so that no event on disk lacks it.
"""

from collections.abc import Mapping
from typing import Any

from registrar.events.types import (
    ArtifactsFetch,
    Data,
    ModelVersionDescribe,
    ModelVersionTransition,
    PromotionApprove,
    PromotionCancel,
    PromotionReject,
    PromotionRequest,
    RegistryQuery,
    parse,
)
from registrar.text.sanitize import absent

# Stands for the version of an event that names none, until `complete` replaces it. No version has this number.
LEFT_OUT = 0
# Stands for the stage of a transition one step back from the target that its version holds. No stage has this name.
STEP_BACK = ""
# The types of events whose version may be left out.
MAY_OMIT = frozenset(
    kind.type
    for kind in (
        *(PromotionApprove, PromotionReject, PromotionCancel, PromotionRequest),
        *(ModelVersionTransition, ModelVersionDescribe, ArtifactsFetch, RegistryQuery),
    )
)
_QUESTIONS = ("plan", "fetch")  # of registry.query that are about a version


def parse_command(type_: str, content: Mapping[str, Any]) -> Data:
    """Parse a person's command like `parse`: what it leaves to the record is LEFT_OUT or STEP_BACK then.

    Raises UnknownType, ValidationError.
    """
    left_out: dict[str, tuple[Any, Any]] = {}  # what is valid there, and what stands for it
    if omits_version(type_, content):
        left_out["version"] = (1, LEFT_OUT)
    if _steps_back(type_, content):
        left_out["stage"] = ("None", STEP_BACK)
    parsed = parse(type_, {**content, **{name: valid for name, (valid, _) in left_out.items()}})
    return parsed.model_copy(update={name: mark for name, (_, mark) in left_out.items()})


def _steps_back(type_: str, data: Mapping[str, Any]) -> bool:
    """Return whether the data of a transition leaves its stage to the record: it is there, and null."""
    return type_ == ModelVersionTransition.type and "stage" in data and data["stage"] is None


def omits_version(type_: str, data: Mapping[str, Any]) -> bool:
    """Return whether the data of an event leaves a version out that `complete` can find."""
    if type_ not in MAY_OMIT or not absent(data.get("version")) or absent(data.get("model")):
        return False
    if data.get("break_glass"):
        return False
    return type_ != RegistryQuery.type or data.get("question") in _QUESTIONS


def is_left_out(data: Data) -> bool:
    return getattr(data, "version", None) == LEFT_OUT or getattr(data, "stage", None) == STEP_BACK
