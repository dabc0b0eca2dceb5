"""Decide which version an event means that names none: only where the record leaves no doubt.

For commands of people, who see what is there: chat, pages, API. A source such as CI must name its version.

- approve, reject, cancel: the one open promotion of the model, or to the target where one is named. Not where another
  one that could be voted on ended within JUST_NOW: its voters may not have seen the one that is open now. Never to
  break the glass.
- request, transition to a target of the policy, plan: the one version that could go there. See `_next_version`.
- transition to None, or one step back (without a stage): the one version that holds a target, unless it came there
  within JUST_NOW.
- describe: the only version of the model.
- fetch: the version in Production.

All others, such as archive, name their version.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from registrar.events.left_out import STEP_BACK
from registrar.events.types import (
    Data,
    ModelVersionDescribe,
    ModelVersionTransition,
    PromotionRequest,
    RegistryQuery,
    Vote,
)
from registrar.ledger import Connection
from registrar.ledger.promotions import Promotion, ended_since, still_open
from registrar.ledger.queries.models import get_model, is_known, known_names
from registrar.ledger.version_state import Key
from registrar.policy import ModelPolicy, Policy, Target
from registrar.policy.approvals import Approval
from registrar.queries.model_standing import ModelStanding
from registrar.text.sanitize import is_visible
from registrar.text.wording import nearest, ranges

# How long people may still have what has just ended or moved before their eyes.
JUST_NOW = timedelta(minutes=15)
_MOST = 10  # candidates in a message


class VersionInDoubt(ValueError):
    """The record does not say which version is meant. The message lists those that could be."""


def complete(
    connection: Connection,
    policy: Policy,
    data: Data,
    *,
    at: datetime,
    may_name: Callable[[str], bool] = lambda name: True,
) -> Data:
    """Return the data with the version that it means, and for a vote its promotion. Raises VersionInDoubt.

    may_name: whether its sender may be told that a model of a name exists.
    """
    model = str(data.registered_model)
    summary = get_model(connection, model) if is_visible(model) and is_known(connection, model) else None
    if summary is None:
        near = nearest(model, filter(may_name, known_names(connection)))
        raise VersionInDoubt(f"the record has no model {model}" + (f"; did you mean {near}?" if near else ""))
    record = ModelStanding(connection, policy.model(model), model, summary["holders"])
    return data.model_copy(update=dict(_Meant(record, at).fields(data)))


@dataclass(frozen=True)
class _Meant:
    """Looks up what an event about a model means."""

    record: ModelStanding
    at: datetime

    @property
    def _model(self) -> str:
        return self.record.model

    def fields(self, data: Data) -> Mapping[str, Any]:
        if isinstance(data, Vote):
            promotion = self._open_promotion(data)
            return {"version": promotion.version, "target": promotion.target, "promotion": promotion.id}
        if isinstance(data, ModelVersionTransition) and data.stage == STEP_BACK:
            version = data.version or self._holder_of_a_target()
            return {"version": version, "stage": self._before(version)}
        return {"version": self._version(data)}

    def _version(self, data: Data) -> int:
        match data:
            case PromotionRequest(target=stage) | ModelVersionTransition(stage=stage) if stage != "None":
                return self._next_version(stage)
            case RegistryQuery(question="plan", target=stage):
                return self._next_version(str(stage))
            case ModelVersionTransition():
                return self._holder_of_a_target()
            case ModelVersionDescribe():
                return self._only_version()
            case _:
                return self._in_production()

    def _open_promotion(self, vote: Vote) -> Promotion:
        target = vote.target if "target" in vote.model_fields_set else None
        found = [
            each for each in still_open(self.record.connection, model=self._model) if target in (None, each.target)
        ]
        if vote.promotion:
            found = [each for each in found if each.id == vote.promotion]
        where = f"of {self._model}" + (f" to {target}" if target else "")
        if not found:
            raise VersionInDoubt(f"no promotion {where} is open" + self._ended(target))
        if len(found) > 1:
            raise VersionInDoubt(f"several promotions {where} are open, so name the version: {_listed(found)}")
        if not vote.promotion and (ended := self._just_ended(target)):
            raise VersionInDoubt(
                f"{_ending(ended[-1])}, and now {found[0]} is open, which you may not have seen: name the version"
            )
        return found[0]

    def _just_ended(self, target: str | None) -> list[Promotion]:
        """Return the promotions that people could vote on until just now."""
        ended = ended_since(self.record.connection, self._model, self.at - JUST_NOW)
        return [
            each for each in ended if target in (None, each.target) and _needs_votes(self.record.policy, each.target)
        ]

    def _ended(self, target: str | None) -> str:
        ended = self._just_ended(target)
        return f"; {_ending(ended[-1])}" if ended else ""

    def _next_version(self, stage: str) -> int:
        """Return the one version that a request for a target can be about.

        It is in a stage that the target is reached from, newer than what the target holds, and not quarantined. Of
        those in no stage only the newest of the model counts. None or several: in doubt.
        """
        if (target := self.record.policy.target(stage)) is None:
            raise VersionInDoubt(f"{stage} is no target of {self._model} in registrar.yml: name the version")
        sources, present = self.record.policy.sources_of(target), max(self.record.by_stage.get(stage, ()), default=0)
        could = sorted({number for source in sources for number in self._in_stage(source)}, reverse=True)
        barred = [why for number in could if (why := self._why_not(number, stage, present))]
        found = [number for number in could if not self._why_not(number, stage, present)]
        if len(found) == 1:
            return found[0]
        if found:
            raise VersionInDoubt(
                f"several versions of {self._model} could go to {stage}, so name one: {_numbers(found)}"
            )
        why = "; ".join(barred) or f"it is reached from {' or '.join(sources)}"
        others = _numbers(self.record.numbers)
        raise VersionInDoubt(
            f"the record of {self._model} has no next version for {stage} ({why}), so name one: {others}"
        )

    def _why_not(self, version: int, stage: str, present: int) -> str | None:
        if version < present:
            return f"version {present}, newer than {version}, is in {stage}"
        is_quarantined = Key.QUARANTINED in self.record.state_of(version)
        return f"version {version} is quarantined" if is_quarantined else None

    def _in_stage(self, stage: str) -> Sequence[int]:
        """Return the versions in a stage that a request can be about."""
        if stage != "None":
            return self.record.by_stage.get(stage, ())
        return [number for number in self.record.numbers[:1] if self.record.stage_of(number) == "None"]

    def _holder_of_a_target(self) -> int:
        held = self.record.in_targets
        numbers: list[int] = sorted({each["version"] for each in held})
        if len(numbers) == 1:
            if came := [each for each in held if each["since"] > self.at - JUST_NOW]:
                raise VersionInDoubt(f"{_holding(came[0])} came there just now: name the version")
            return numbers[0]
        listed = ", ".join(map(_holding, held))
        raise VersionInDoubt(
            f"several versions of {self._model} hold a target, so name one: {listed}"
            if held
            else f"no version of {self._model} holds a target of registrar.yml"
        )

    def _before(self, version: int) -> str:
        if stage := self.record.step_back(version):
            return stage
        if version not in (numbers := self.record.numbers):
            raise VersionInDoubt(f"the record knows no version {version} of {self._model}: {ranges(numbers)}")
        raise VersionInDoubt(f"version {version} of {self._model} holds no target of registrar.yml")

    def _only_version(self) -> int:
        numbers = self.record.numbers
        if len(numbers) == 1:
            return numbers[0]
        raise VersionInDoubt(
            f"{self._model} has several versions, so name one: {_numbers(numbers)}"
            if numbers
            else f"the record has no version of {self._model}: name the version"
        )

    def _in_production(self) -> int:
        numbers = sorted(self.record.by_stage.get("Production", ()))
        if len(numbers) == 1:
            return numbers[0]
        raise VersionInDoubt(
            f"several versions of {self._model} are in Production, so name one: {_numbers(numbers)}"
            if numbers
            else f"no version of {self._model} is in Production, so name one: {_numbers(self.record.numbers)}"
        )


def _needs_votes(policy: ModelPolicy, stage: str) -> bool:
    target: Target | None = policy.target(stage)
    return target is None or isinstance(target.approval, Approval)


def _holding(held: Mapping[str, Any]) -> str:
    return f"version {held['version']} ({'@' if held['kind'] == 'alias' else ''}{held['key']})"


def _ending(ended: Promotion) -> str:
    why = f" ({ended.reason})" if ended.reason else ""
    return f"the promotion of {ended} ended just now: {ended.state.replace('_', ' ')}{why}"


def _listed(found: Sequence[Promotion]) -> str:
    return ", ".join(f"version {each.version} to {each.target}" for each in found[:_MOST])


def _numbers(numbers: Sequence[int]) -> str:
    more = ", ..." if len(numbers) > _MOST else ""
    return ", ".join(map(str, numbers[:_MOST])) + more or "none is known"
