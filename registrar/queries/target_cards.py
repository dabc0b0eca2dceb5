"""A model's targets as cards: which version holds each, how it came there, whether it is live, and what comes next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registrar.events.types import (
    DeploymentFailed,
    ModelAdopt,
    ModelRollback,
    ModelVersionTransition,
    RegistrySettle,
)
from registrar.ledger.deployments import Deployment
from registrar.ledger.holders import BY_HAND
from registrar.ledger.queries.holdings import Holding
from registrar.policy import ModelPolicy, Target
from registrar.policy.approvals import Approval
from registrar.policy.gates import named
from registrar.policy.metric_directions import metric_gates
from registrar.policy.time_gates import Timing
from registrar.queries.promotion_view import PromotionView

_METRICS = 3  # of a target without a gate on a metric


@dataclass(frozen=True)
class DecidingMetric:
    """A metric of a holder. gates: those of the target that are about it, as the policy has them now."""

    name: str
    value: float | None
    gates: Sequence[str] = ()


@dataclass(frozen=True)
class TargetCard:
    """A target of the policy. held: its holder's holding, of several the latest; None: nothing holds it.

    beside: other versions that hold it, too. alias: the target's, if the same version has it. how: how the version
    came there, for people. deployment: its last one to this target. fills: what would fill the target, or replace its
    holder. waiting: the open promotions to it.
    """

    target: Target
    held: Holding | None
    fills: str
    beside: Sequence[int] = ()
    alias: str | None = None
    how: str = ""
    deployment: Deployment | None = None
    metrics: Sequence[DecidingMetric] = ()
    waiting: Sequence[PromotionView] = ()


@dataclass(frozen=True)
class OtherHolding:
    """A stage, or an alias with an @, that is no target's, or apart from it. versions: newest first."""

    name: str
    versions: Sequence[int] = field(default_factory=list)


def target_cards(
    policy: ModelPolicy,
    held: Sequence[Holding],
    metrics: Mapping[int, Mapping[str, float]],
    deployments: Iterable[Deployment],
    open_: Sequence[PromotionView],
) -> list[TargetCard]:
    """Return a card per target, the last target first.

    held: the open holdings of the targets' stages and aliases, oldest first. metrics: by the holders' numbers.
    deployments: the last ones of the holders.
    """
    last = {(one.target, one.version): one for one in deployments}
    return [
        _card(policy, target, held=held, metrics=metrics, deployments=last, open_=open_)
        for target in reversed(policy.targets)
    ]


def places(policy: ModelPolicy) -> list[tuple[str, str]]:
    """Return what the targets' holders hold, as (kind, key): each target's stage and alias."""
    both = [[("stage", target.stage), ("alias", target.alias or "")] for target in policy.targets]
    return [place for pair in both for place in pair if place[1]]


def _card(
    policy: ModelPolicy,
    target: Target,
    *,
    held: Sequence[Holding],
    metrics: Mapping[int, Mapping[str, float]],
    deployments: Mapping[tuple[str, int], Deployment],
    open_: Sequence[PromotionView],
) -> TargetCard:
    here = [one for one in held if (one.kind, one.key) == policy.holding_key(target)]
    waiting = [view for view in open_ if view.promotion.target == target.stage]
    fills = what_fills(policy, target)
    if not here:
        return TargetCard(target, None, fills, waiting=waiting)
    holding = here[-1]
    aliased = any((one.kind, one.key, one.version) == ("alias", target.alias, holding.version) for one in held)
    return TargetCard(
        target,
        holding,
        fills,
        sorted({one.version for one in here} - {holding.version}, reverse=True),
        target.alias if aliased else None,
        how_it_came(holding),
        deployments.get((target.stage, holding.version)),
        _deciding_metrics(target, metrics.get(holding.version, {})),
        waiting,
    )


def how_it_came(holding: Holding) -> str:
    """Say how a version came to hold a place, as the record has it."""
    if holding.promotion_id:
        return f"approved by {holding.approved_by}" if holding.approved_by else "automatic: it needed no approval"
    if holding.event_type in BY_HAND:
        return "moved by hand in MLflow, which does not say by whom"
    sentences = {
        ModelRollback.type: f"put back by a rollback of {holding.actor_name}",
        DeploymentFailed.type: "put back after the deployment of another version failed",
        ModelAdopt.type: "it held this when Registrar took the model in",
        RegistrySettle.type: f"MLflow had it so when {holding.actor_name} settled a dispute",
        ModelVersionTransition.type: f"moved by {holding.actor_name}, without an approval",
    }
    return sentences.get(holding.event_type, f"moved by {holding.actor_name} ({holding.event_type})")


def what_fills(policy: ModelPolicy, target: Target) -> str:
    """Say what brings a version to a target, as the policy has it."""
    sources = policy.sources_of(target)
    staged = [stage for stage in sources if stage != "None"]
    which = ["A registered version"] if "None" in sources else []
    which += [f"{'one' if which else 'A version'} in {' or '.join(staged)}"] if staged else []
    asked = "comes here by itself" if target.request == "automatic" else "comes here when somebody asks for it"
    gates = [str(gate) for gate in target.gates if not isinstance(gate, Timing)]
    times = [str(gate) for gate in target.gates if isinstance(gate, Timing)]
    needs = [f"it passes {_listed(gates)}"] if gates else []
    if isinstance(target.approval, Approval):
        needs.append(_listed([f"{rule.required_approvals} of {rule.group}" for rule in target.approval.rules]))
        needs[-1] += (
            f" {'approves' if [rule.required_approvals for rule in target.approval.rules] == [1] else 'approve'}"
        )
    once = " once " if target.request == "automatic" else ", once "
    sentence = f"{' or '.join(which)} {asked}" + (f"{once}{' and '.join(needs)}" if needs else "")
    return sentence + (f"; {', '.join(times)}" if times else "") + "."


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _deciding_metrics(target: Target, metrics: Mapping[str, float]) -> list[DecidingMetric]:
    """Return the metrics of the target's gates; without such gates the first few."""
    gates: dict[str, list[str]] = {}
    for gate in metric_gates(target):
        gates.setdefault(named(gate.metric, gate.of), []).append(str(gate))
    names = list(gates) or sorted(metrics)[:_METRICS]
    return [DecidingMetric(name, metrics.get(name), gates.get(name, ())) for name in names]


def other_holdings(
    policy: ModelPolicy, holders: Sequence[Mapping[str, Any]], cards: Sequence[TargetCard]
) -> list[OtherHolding]:
    """Return what is held beside the cards' targets. holders: as models.get_model returns them."""
    shown = {(*policy.holding_key(card.target), number) for card in cards if card.held for number in _numbers(card)}
    shown |= {("alias", card.alias, card.held.version) for card in cards if card.held and card.alias}
    found: dict[str, list[int]] = {}
    for row in holders:
        if (row["kind"], row["key"], row["version"]) not in shown:
            name = f"@{row['key']}" if row["kind"] == "alias" else row["key"]
            found.setdefault(name, []).append(row["version"])
    return [OtherHolding(name, sorted(versions, reverse=True)) for name, versions in found.items()]


def _numbers(card: TargetCard) -> list[int]:
    return [*card.beside, *([card.held.version] if card.held else [])]
