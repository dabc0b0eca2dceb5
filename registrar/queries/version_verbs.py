"""What a person may do on one version, as the policy and the record say: for the buttons of pages.

The worker decides anew about each command when it is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from registrar.events.types import (
    ModelRollback,
    ModelVersionArchive,
    ModelVersionDescribe,
    ModelVersionTransition,
    PromotionRequest,
)
from registrar.ledger.holders import ARCHIVED
from registrar.ledger.promotions import OPEN
from registrar.ledger.version_state import HELD_BACK, Key
from registrar.policy import Policy
from registrar.policy.access import Role
from registrar.policy.permissions import includes, may_remove, required_role
from registrar.queries.model_standing import ModelStanding


class VerbName(StrEnum):
    REQUEST = "request"
    DEMOTE = "demote"
    ARCHIVE = "archive"
    DESCRIBE = "describe"
    ROLL_BACK = "rollback"


@dataclass(frozen=True)
class Verb:
    """target: to be asked for, or to be rolled back. again: the same was asked for before, or held back."""

    name: VerbName
    target: str | None = None
    again: bool = False


@dataclass(frozen=True)
class Person:
    """Who is signed in."""

    id: str
    role: Role


def verbs(
    policy: Policy,
    person: Person,
    record: ModelStanding,
    version: int,
    *,
    promotions: Sequence[Mapping[str, Any]],
    rollbacks: Sequence[str],
) -> list[Verb]:
    """Return what a person may do on a version that is in the registry.

    promotions: the version's, with target and state. rollbacks: the targets from which a model can be rolled back.
    """
    held = [target for target in record.policy.targets if record.holds(version, target)]
    state = record.state_of(version)

    def has_role(type_: str, target: str | None = None) -> bool:
        return includes(person.role, required_role(policy, type_, model=record.model, target=target))

    found: list[Verb] = []
    if has_role(PromotionRequest.type) and Key.QUARANTINED not in state:
        found += _requests(record, version, promotions, state)
    if held and has_role(ModelVersionTransition.type) and may_remove(policy, person.id, held):
        found.append(Verb(VerbName.DEMOTE))
    found += [
        Verb(VerbName.ROLL_BACK, target.stage)
        for target in held
        if target.stage in rollbacks
        and has_role(ModelRollback.type, target.stage)
        and may_remove(policy, person.id, [target])
    ]
    if has_role(ModelVersionDescribe.type):
        found.append(Verb(VerbName.DESCRIBE))
    is_archived = record.stage_of(version) == ARCHIVED
    if not is_archived and has_role(ModelVersionArchive.type) and may_remove(policy, person.id, held):
        found.append(Verb(VerbName.ARCHIVE))
    return found


def _requests(
    record: ModelStanding, version: int, promotions: Sequence[Mapping[str, Any]], state: Mapping[str, str]
) -> list[Verb]:
    """Return a request for each target that the version can reach, and that it is not on its way to."""
    stage = record.stage_of(version)
    found = []
    for target in record.policy.targets:
        earlier = [row for row in promotions if row["target"] == target.stage]
        on_its_way = any(row["state"] in OPEN for row in earlier)
        if stage in record.policy.sources_of(target) and not record.holds(version, target) and not on_its_way:
            again = bool(earlier) or f"{HELD_BACK}{target.stage}" in state
            found.append(Verb(VerbName.REQUEST, target.stage, again))
    return found
